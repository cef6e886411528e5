package keyring

import "time"

// SetUptime gives the ring another clock for when to look at its file.
func (r *Ring) SetUptime(uptime func() time.Duration) { r.uptime = uptime }
