package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
)

func TestATakenAddressIsReportedBeforeADatabaseIsMade(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	dir := processtest.StateDir(t)
	code, _, stderr := command(t, "", "serve", "--listen="+taken.Addr().String(), "--admin-listen=off", "--state-dir="+dir)
	if code != exitFailed || !strings.Contains(stderr, "choose another address with --listen") {
		t.Errorf("%d %s", code, stderr)
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("it made %v (%v)", made, err)
	}
}

// TestThePoolHasTheConnectionsThatAreSet by the setting or in the address, and 16 if neither is set.
func TestThePoolHasTheConnectionsThatAreSet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ inAddress, setting, want string }{
		"none": {"", "0", "16"}, "the setting": {"", "7", "7"}, "in the address": {"&pool_max_conns=8", "0", "8"}, "both": {"&pool_max_conns=8", "7", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := storetest.URL(t)
			if !strings.Contains(address, "?") {
				c.inAddress = strings.Replace(c.inAddress, "&", "?", 1)
			}
			admin := processtest.FreeAddress(t)
			processtest.Serve(t, processtest.StateDir(t), processtest.FreeAddress(t),
				onDatabase(address+c.inAddress, "GIFTCARDS_DATABASE_CONNECTIONS="+c.setting, "GIFTCARDS_DATABASE_STATEMENTS=describe", "GIFTCARDS_ADMIN_LISTEN="+admin)...)
			response, err := http.Get("http://" + admin + "/metrics")
			must(t, err)
			defer response.Body.Close()
			metrics, err := io.ReadAll(response.Body)
			must(t, err)
			if !strings.Contains(string(metrics), "\ngiftcards_pool_connections_max "+c.want+"\n") {
				t.Errorf("not %s connections", c.want)
			}
		})
	}
}
