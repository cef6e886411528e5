package sandbox

// registerPage registers the the page for people.
func (s *Sandbox) registerPage() {}
