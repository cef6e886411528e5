package sandbox

// registerPage registers the page for people.
func (s *Sandbox) registerPage() {}
