package api

import "time"

// Why explains a decision.
type Why struct {
	Decision string    `json:"decision" doc:"allow, deny, step up (sign in again with context) or request (ask approvers)"`
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	User     string    `json:"user,omitempty"`
	UserName string    `json:"user_name,omitempty"`
	Code     string    `json:"code,omitempty" doc:"Kind of a denial"`
	Project  string    `json:"project,omitempty"`
	Role     string    `json:"role,omitempty"`
	Via      string    `json:"via,omitempty"`
	Path     []string  `json:"path,omitempty"`
	Reasons  []string  `json:"reasons"`
	Policies []string  `json:"policies"`
	Facts    []string  `json:"facts" doc:"The facts that were read, a sentence each"`
	Until    time.Time `json:"until,omitzero" doc:"When time alone would change it"`
	// Context is what to step up to, at the link that a refusal gives; Approvers and Run, whom to ask and how.
	Context   string `json:"authentication_context,omitempty"`
	Approvers string `json:"approvers,omitempty" doc:"The group whose members may approve"`
	Run       string `json:"run,omitempty"`
	// Rules are all policies that were true of the question.
	Rules         []WhyRule      `json:"rules" doc:"All policies that permit or forbid it, with their texts"`
	Needs         []string       `json:"needs" doc:"What would make it allowed"`
	Circumstances map[string]any `json:"circumstances,omitempty" doc:"What is known of the request: session, ip, signed_in, strength, contexts, agent, class"`
	Grant         *WhyGrant      `json:"grant,omitempty" doc:"The grant that it rests on"`
}

// WhyRule is a policy that was true of a question.
type WhyRule struct {
	ID     string `json:"id"`
	Effect string `json:"effect" enum:"permit,forbid"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Text   string `json:"text"`
}

// WhyGrant is a grant that a decision rests on.
type WhyGrant struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"until"`
}
