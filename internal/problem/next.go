package problem

import "errors"

// Next is what would help against a refusal, for programs. As a part of a problem document its fields are extensions
// (RFC 9457, 3.2).
type Next struct {
	Context   string `json:"authentication_context,omitempty"` // to sign in with (RFC 9470 calls it acr_values)
	SignIn    string `json:"sign_in,omitempty"`                // where
	Approvers string `json:"approvers,omitempty"`              // object ID of the group whose members may approve
	Run       string `json:"run,omitempty"`                    // the command that asks them
}

func next(err error) *Next {
	var p *Error
	if errors.As(err, &p) {
		return p.Next
	}
	return nil
}
