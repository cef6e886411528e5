package keyring

import "time"

// SetUptime replaces the clock by which the ring decides when to look at its file.
func (r *Ring) SetUptime(uptime func() time.Duration) { r.uptime = uptime }
