package access

// Reason says why an access was refused or closed. As an error it is what the peer is told.
type Reason struct {
	Code Code
	Text string // a sentence for the person
}

func (r Reason) Error() string { return r.Text }

// IsZero reports whether r gives no reason.
func (r Reason) IsZero() bool { return r.Code == "" && r.Text == "" }
