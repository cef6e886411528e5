package sandbox

// registerWorlds registers the operations on worlds.
func (s *Sandbox) registerWorlds() {}
