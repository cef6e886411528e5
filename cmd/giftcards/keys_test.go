package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/keyring"
	"giftcards/store/storetest"
)

// TestARotationIsAuditedAndAFailedOneIsNot also covers the grant to a serving role.
func TestARotationIsAuditedAndAFailedOneIsNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, settings := filepath.Join(dir, "keys.json"), []string{"--database-url=" + storetest.URL(t), "--state-dir=" + dir}
	operations := func() []string {
		t.Helper()
		code, stdout, stderr := command(t, "", append([]string{"audit", "list"}, settings...)...)
		var entries []struct{ Operation, Client string }
		if err := json.Unmarshal([]byte(stdout), &entries); err != nil || code != 0 {
			t.Fatalf("audit list: %d %s %s", code, stdout, stderr)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Operation)
			if e.Client != operator() {
				t.Errorf("%s by %q", e.Operation, e.Client)
			}
		}
		return names
	}
	// The failures come first, while there is no key file yet.
	for name, args := range map[string][]string{
		"keys that are not there": {"keys", "rotate"},
		"a role that is not":      {"migrate", "up", "--serve-role=nobody_at_all"},
	} {
		if code, _, stderr := command(t, "", append(args, settings...)...); code != 1 || stderr == "" {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
	if got := operations(); got != nil {
		t.Errorf("of what failed the log says %q", got)
	}
	_, err := keyring.Create(file)
	must(t, err)
	before, err := keyring.List(file)
	must(t, err)
	for _, args := range [][]string{{"migrate", "up", "--serve-role=" + storetest.ServingRole}, {"keys", "rotate"}, {"migrate", "up"}} {
		if code, _, stderr := command(t, "", append(args, settings...)...); code != 0 {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
	if after, err := keyring.List(file); err != nil || len(after) != 2*len(before) {
		t.Errorf("%d keys after %d (%v)", len(after), len(before), err)
	}
	if got, want := operations(), []string{"keys rotate", "migrate up --serve-role"}; !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
}

// TestOldKeysAreRetiredOnlyWhenNothingNeedsThem covers the keys of codes, tokens and links.
func TestOldKeysAreRetiredOnlyWhenNothingNeedsThem(t *testing.T) {
	t.Parallel()
	dir, database := t.TempDir(), storetest.URL(t)
	file := filepath.Join(dir, "keys.json")
	_, err := keyring.Create(file)
	must(t, err)
	keysDo := func(what string, args ...string) (int, string, string) {
		return command(t, "", append([]string{"keys", what, "--database-url=" + database, "--state-dir=" + dir}, args...)...)
	}
	refused := func(want string) {
		t.Helper()
		if code, _, stderr := keysDo("retire"); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("keys retire: %d %s, want %q", code, stderr, want)
		}
		var printed printedKeys
		code, stdout, stderr := keysDo("list")
		if err := json.Unmarshal([]byte(stdout), &printed); err != nil || code != 0 || printed.Retirable || !strings.Contains(printed.Because, want) {
			t.Errorf("keys list: %d %s %s, want %q", code, stdout, stderr, want)
		}
	}
	refused("there are no old keys")
	must(t, keyring.Rotate(file))
	refused("no server has begun")

	// The server resealed yesterday, so its links may still be valid today.
	clock := &storetest.Clock{}
	clock.Move(-25 * time.Hour)
	keys, err := keyring.Open(file)
	must(t, err)
	st, err := store.Open(t.Context(), database, store.Options{Keys: keys, Now: clock.Now, MaxConns: 2})
	must(t, err)
	t.Cleanup(st.Close)
	reseal := func() {
		for range 3 {
			_, err := store.Write(t.Context(), st, func(tx *store.Tx) (store.ResealStep, error) { return tx.Reseal(t.Context(), 10) })
			must(t, err)
		}
	}
	reseal()
	refused("codes are being resealed")
	clock.Move(21 * time.Minute)
	reseal()
	if code, _, stderr := keysDo("retire", "--link-lifetime=26h"); code != 1 || !strings.Contains(stderr, "CSV links from before the rotation last until") {
		t.Errorf("with links that may live: %d %s", code, stderr)
	}
	_, err = st.SaveKeyUses(t.Context())
	must(t, err)
	_, err = st.Pool().Exec(t.Context(), "update key_uses set sealed = 12345 where key_id = $1", int64(st.CodeKey()))
	must(t, err)
	if _, stdout, _ := keysDo("list"); strings.Count(stdout, `"sealed":`) != 2 || !strings.Contains(stdout, `"sealed": 12345`) {
		t.Errorf("keys list does not say what each of two keys sealed: %s", stdout)
	}
	if code, stdout, stderr := keysDo("list"); code != 0 || !strings.Contains(stdout, `"retirable": true`) || strings.Contains(stdout, "because") {
		t.Errorf("keys list: %d %s %s", code, stdout, stderr)
	}
	// A longer lifetime of links keeps only the keys of links.
	var some []keyring.Key
	code, stdout, stderr := keysDo("retire", "--link-lifetime=26h", "--only=codes,tokens") // no link needs these keys
	if err := json.Unmarshal([]byte(stdout), &some); err != nil || code != 0 || len(some) != 4 {
		t.Errorf("keys retire --only=codes,tokens: %d %s %s", code, stdout, stderr)
	}
	if code, _, stderr := keysDo("retire", "--only=codes"); code != 1 || !strings.Contains(stderr, "there are no old keys") {
		t.Errorf("keys retire --only=codes again: %d %s", code, stderr)
	}
	var left []keyring.Key
	code, stdout, stderr = keysDo("retire")
	if err := json.Unmarshal([]byte(stdout), &left); err != nil || code != 0 || len(left) != 3 {
		t.Errorf("keys retire: %d %s %s", code, stdout, stderr)
	}
	if _, stdout, _ := command(t, "", "audit", "list", "--database-url="+database, "--state-dir="+dir); !strings.Contains(stdout, "keys retire") {
		t.Errorf("the audit log says %s", stdout)
	}
	refused("there are no old keys")
}

// TestKeysOfTokensAndLinksCanBeRemovedAtOnce: --now removes new and old keys of tokens and links,
// refuses keys of codes, and changes nothing else. The audit log has an entry.
func TestKeysOfTokensAndLinksCanBeRemovedAtOnce(t *testing.T) {
	t.Parallel()
	dir, database := t.TempDir(), storetest.URL(t)
	file := filepath.Join(dir, "keys.json")
	_, err := keyring.Create(file)
	must(t, err)
	must(t, keyring.Rotate(file))
	retire := func(args ...string) (int, string, string) {
		return command(t, "", append([]string{"keys", "retire", "--database-url=" + database, "--state-dir=" + dir}, args...)...)
	}
	idsOf := func(keyset string) (ids []uint32) {
		list, err := keyring.List(file)
		must(t, err)
		for _, key := range list {
			if key.Keyset == keyset {
				ids = append(ids, key.ID)
			}
		}
		return ids
	}
	// Each keyset has two keys, and no server has resealed a code.
	codes, links, tokens := idsOf(keyring.CodesKeyset), idsOf(keyring.LinksKeyset), idsOf(keyring.TokensKeyset)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--now"}, 1, "--now needs --only=tokens"},
		{[]string{"--now", "--only=codes"}, 1, "the keys of codes cannot be removed at once"},
		{[]string{"--now", "--only=tokens", "--only=codes"}, 1, "the keys of codes cannot be removed at once"},
		{[]string{"--only=passwords"}, 2, "must be one of"},
	} {
		if code, stdout, stderr := retire(c.args...); code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d %s%s", c.args, code, stdout, stderr)
		}
	}
	if !slices.Equal(slices.Concat(codes, links, tokens), slices.Concat(idsOf(keyring.CodesKeyset), idsOf(keyring.LinksKeyset), idsOf(keyring.TokensKeyset))) {
		t.Error("a refusal changed the keys")
	}
	for range 2 { // the second time only the newest key is left
		if code, _, stderr := retire("--now", "--only=tokens"); code != 0 {
			t.Fatal(stderr)
		}
		if fresh := idsOf(keyring.TokensKeyset); len(fresh) != 1 || slices.Contains(tokens, fresh[0]) {
			t.Errorf("keys of tokens are %v and were %v", fresh, tokens)
		}
		tokens = append(tokens, idsOf(keyring.TokensKeyset)...)
	}
	if !slices.Equal(links, idsOf(keyring.LinksKeyset)) {
		t.Error("keys of links were changed too")
	}
	if code, _, stderr := retire("--now", "--only=links,tokens"); code != 0 {
		t.Fatal(stderr)
	}
	if fresh := idsOf(keyring.LinksKeyset); len(fresh) != 1 || slices.Contains(links, fresh[0]) || !slices.Equal(codes, idsOf(keyring.CodesKeyset)) {
		t.Errorf("keys of links are %v and were %v; of codes %v and %v", fresh, links, idsOf(keyring.CodesKeyset), codes)
	}
	_, stdout, _ := command(t, "", "audit", "list", "--database-url="+database, "--state-dir="+dir)
	if strings.Count(stdout, `"keys retire --only=tokens --now"`) != 2 || strings.Count(stdout, `"keys retire --only=links,tokens --now"`) != 1 || strings.Count(stdout, "keys retire") != 3 {
		t.Errorf("the audit log says %s", stdout)
	}
}
