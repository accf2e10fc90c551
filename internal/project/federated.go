package project

import (
	"maps"
	"slices"

	"github.com/lanyardhq/lanyard/internal/source"
)

// federated keeps projects from having one another's rights at a cloud. A cloud decides by issuer, audience and subject: where
// the subject is the person, the tokens of two projects that declare one value are the same to it, and who may change the one
// project's file would get what the cloud gives to the other's people.
func (p *parser) federated() {
	type declared struct {
		project string
		subject Subject
		at      source.Value
	}
	first := map[string][]declared{} // by value: of each project the first
	look := func(d draft, at marks) {
		for j, a := range d.Audiences {
			if !a.Federation {
				continue
			}
			here := declared{d.Name, a.Subject, at.audiences[j]}
			if slices.ContainsFunc(first[a.Value], func(other declared) bool { return other.project == d.Name }) {
				continue // and that is said already
			}
			for _, other := range first[a.Value] {
				if here.subject == OfUser || other.subject == OfUser {
					place := other.at.Finding("")
					p.findings = append(p.findings, here.at.Finding(
						"the project %s declares the audience %s for a cloud too, at %s:%d, and a person's tokens would be the same for both; write `subject: project` in both, or an `aud` of its own in one",
						other.project, a.Value, place.File, place.Line))
					break
				}
			}
			first[a.Value] = append(first[a.Value], here)
		}
	}
	for i, d := range p.drafts {
		look(d, p.at[i])
	}
	for _, name := range slices.Sorted(maps.Keys(p.template.projects)) {
		look(p.template.projects[name], p.template.at[name])
	}
}
