package api

import "time"

// TokenOrder asks, from within a workspace, for a token that an audience takes.
type TokenOrder struct {
	// Audience is the name of an audience of the workspace's project, or the value that stands in its tokens.
	Audience string `json:"audience"`
	// Gitpod asks for the claims that Gitpod's workspace tokens had.
	Gitpod bool `json:"gitpod,omitempty"`
	// Scope stands in the token as it is written here; it gives nothing by itself.
	Scope string `json:"scope,omitempty"`
	// MayAct is who alone may exchange the token, as `act` names them: agent:NAME or client:ID. Empty: whoever it is for.
	MayAct string `json:"may_act,omitempty"`
}

// Token is a token, and until when it is good.
type Token struct {
	Token    string    `json:"token" doc:"A JWT; whoever holds it may use it"`
	Expires  time.Time `json:"expires"`
	Audience string    `json:"audience" doc:"The audience's name"`
	Value    string    `json:"aud" doc:"What stands in the token as its audience"`
	Project  string    `json:"project"`
}

// TokenAudience is an audience that the project of a workspace declares.
type TokenAudience struct {
	Name      string `json:"audience"`
	Value     string `json:"aud"`
	Kind      string `json:"kind" doc:"service, or federation"`
	Seconds   int    `json:"lifetime" doc:"How long its tokens live, in seconds, at most"`
	Subject   string `json:"subject" doc:"Whom its tokens are about: user or project"`
	Sensitive string `json:"sensitive,omitempty" doc:"The authentication context that getting a token needs"`
	Decision  string `json:"decision" doc:"Whether who asks gets one now: allow, step up, or request; what is denied is not listed"`
	// File is what the workspace keeps for programs that look for a token by themselves; nil: nothing.
	File *TokenFile `json:"file,omitempty"`
}
