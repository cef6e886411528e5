package sandbox

// registerStates registers the operations on states.
func (s *Sandbox) registerStates() {}
