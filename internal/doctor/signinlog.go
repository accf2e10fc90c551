package doctor

// signInLog looks at the comparing of sign-ins with the tenant's own log of them. Nothing is refused for want of it.
func (e examiner) signInLog() {
	const about = "sign-in"
	l := e.health.SignInLog
	if l.Wanted && l.Problem != "" {
		e.note("sign-in-log", about, "Sign-ins work without it. `lanyard audit review` compares once it can be read.", "The tenant's log of sign-ins is not compared: %s.", l.Problem)
	}
	if l.Flagged > 0 {
		e.note("sign-in-flagged", about, "Look at them: `lanyard audit review`.", "The tenant's log and Lanyard do not agree about %d of the last seven days' sign-ins.", l.Flagged)
	}
}
