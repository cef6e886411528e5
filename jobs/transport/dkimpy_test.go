//go:build dkim

package transport_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// dkimpy verifies the mail in a file with the DNS record in another file.
const dkimpy = `
import dkim, sys
mail, record = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
assert dkim.verify(mail, dnsfunc=lambda name, timeout=5: record if name == b"s1._domainkey.example.com." else None), "not verified"
assert not dkim.verify(mail.replace(b"blanks", b"blankz"), dnsfunc=lambda name, timeout=5: record), "a changed mail is verified"
print("dkimpy has verified the mail")
`

// TestAnotherProgramVerifiesASignedMail: dkimpy, which shares no code with the library that signs.
func TestAnotherProgramVerifiesASignedMail(t *testing.T) {
	t.Parallel()
	for kind, key := range keys(t) {
		d, record := signer(t, key)
		dir := t.TempDir()
		mail, dns := filepath.Join(dir, "mail"), filepath.Join(dir, "record")
		must(t, os.WriteFile(mail, signedMail(t, d), 0o600))
		must(t, os.WriteFile(dns, []byte(record), 0o600))
		out, err := exec.CommandContext(t.Context(), "python3", "-c", dkimpy, mail, dns).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
		t.Logf("%s: %s", kind, out)
	}
}
