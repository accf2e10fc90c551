package access

// stands is what a decision becomes by what the request's own protocol reads of the facts. That takes away and never
// gives, and the cache of decisions does not know of it.
func (r *Request) stands(f *Facts, d *Decision) *Decision {
	if r.Stands == nil || d.Effect != Allow {
		return d
	}
	why := r.Stands(f, d)
	if why == "" {
		return d
	}
	return &Decision{Code: NotPermitted, Reasons: []string{why}, Role: d.Role, Via: d.Via}
}
