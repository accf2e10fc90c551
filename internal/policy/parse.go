// Package policy decides with Cedar: it parses policies, checks them against the schema, and evaluates them. It is
// pure: no clock, no store, no network. What a decision rests on comes in as Facts.
package policy

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// ShippedFile is the name under which the policies that ship with Lanyard appear.
const ShippedFile = "shipped.cedar"

//go:embed shipped.cedar
var shippedText string

//go:embed schema.cedarschema
var schemaText string

// Shipped is the text of the policies that ship with Lanyard.
func Shipped() string { return shippedText }

// Schema is the text of the schema that every policy is checked against.
func Schema() string { return schemaText }

// File is a policy file.
type File struct {
	Name string
	Text string
}

// Source is what a Set is made of.
type Source struct {
	Tenant identity.TenantID // whose users and groups policies name by object ID
	Files  []File            // the administrators' files
	// WithoutShipped leaves out the policies that ship with Lanyard. Only tests want that.
	WithoutShipped bool
}

// Set is a set of policies, checked. It is immutable.
type Set struct {
	tenant identity.TenantID
	slices map[identity.Action]*sliceTable
	rules  []Rule
	all    []*rule // as the rules
}

// Rule is one policy as it was written.
type Rule struct {
	ID      string
	File    string
	Line    int
	Forbid  bool
	Text    string
	Comment string // the comment lines right above it, as they stand there; empty when there are none
	// StepUp and Approval are what @step_up and @approval say; empty without.
	StepUp, Approval string
}

// Rules are all policies, in the order of their files.
func (s *Set) Rules() []Rule { return slices.Clone(s.rules) }

// Parse reads and checks policies. The error is a source.Findings with all that is wrong.
func Parse(src Source) (*Set, error) {
	known, err := knownSchema()
	if err != nil {
		return nil, err
	}
	p := parser{tenant: src.Tenant, schema: known, validator: validate.New(known), ids: map[string]source.Finding{}}
	if !src.WithoutShipped {
		p.file(File{Name: ShippedFile, Text: shippedText})
	}
	for _, f := range src.Files {
		if f.Name == ShippedFile {
			p.report(f, 0, "the name %s is that of Lanyard's own policies; give the file another", ShippedFile)
			continue
		}
		p.file(f)
	}
	if len(p.findings) > 0 {
		return nil, p.findings
	}
	return p.set(), nil
}

// knownSchema is the schema, read once: it is part of the program.
var knownSchema = sync.OnceValues(readSchema)

func readSchema() (*resolved.Schema, error) {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar([]byte(schemaText)); err != nil {
		return nil, fmt.Errorf("reading the policy schema: %w", err)
	}
	known, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("resolving the policy schema: %w", err)
	}
	return known, nil
}

// parser collects policies and findings over all files.
type parser struct {
	tenant    identity.TenantID
	schema    *resolved.Schema
	validator *validate.Validator
	findings  source.Findings
	ids       map[string]source.Finding // where each ID was first used
	rules     []Rule
	policies  []*rule
}

func (p *parser) report(f File, offset int, format string, args ...any) {
	line, column := source.Position(f.Text, offset)
	p.findings = append(p.findings, source.Finding{File: f.Name, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) file(f File) {
	if len(f.Text) > source.MaxSize {
		p.findings = append(p.findings, source.Finding{File: f.Name, Message: fmt.Sprintf("the file is longer than %d KiB", source.MaxSize>>10)})
		return
	}
	words := tokens(f.Text)
	if deepest(words) > maxNesting {
		p.findings = append(p.findings, source.Finding{File: f.Name, Message: fmt.Sprintf("brackets are nested deeper than %d", maxNesting)})
		return
	}
	list, err := cedar.NewPolicyListFromBytes(f.Name, []byte(f.Text))
	if err != nil {
		p.findings = append(p.findings, syntaxFinding(f, words, err))
		return
	}
	for i, policy := range list {
		start, end := policy.Position().Offset, len(f.Text)
		if i+1 < len(list) {
			end = list[i+1].Position().Offset
		}
		p.policy(f, within(words, start, end), policy)
	}
}

var idShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func (p *parser) policy(f File, words []token, policy *cedar.Policy) {
	start := words[0].offset
	id := ""
	for _, a := range policy.AST().Annotations {
		at := locate(words, "@", string(a.Key))
		switch a.Key {
		case "id":
			id = string(a.Value)
			if !idShape.MatchString(id) {
				p.report(f, at, "@id(%q) must be letters, digits, dots, dashes and underscores, at most 63", id)
			}
		}
	}
	line, _ := source.Position(f.Text, start)
	if id == "" {
		id = fmt.Sprintf("%s:%d", f.Name, line)
	}
	if first, twice := p.ids[id]; twice {
		p.report(f, start, "@id(%q) is already used at %s:%d; every policy has an ID of its own", id, first.File, first.Line)
	}
	p.ids[id] = source.Finding{File: f.Name, Line: line}

	if err := p.validator.Policy("", (*ast.Policy)(policy.AST())); err != nil {
		all := flatten(err)
		for _, one := range all {
			if len(all) > 1 && strings.HasPrefix(one.Error(), nothingApplies) {
				continue // follows from what else is wrong
			}
			at, message := p.explain(words, one.Error())
			p.report(f, at, "%s", message)
		}
	}
	body := (*ast.Policy)(policy.AST())
	lifted := p.readLift(f, words, body)
	names := mentioned(body)
	for _, uid := range names {
		if wrong := p.checkName(uid); wrong != "" {
			p.report(f, locate(words, string(uid.Type), "::", string(uid.ID)), "%s", wrong)
		}
	}
	p.policies = append(p.policies, &rule{id: id, alone: []string{id}[:1:1], number: len(p.policies), file: f.Name, line: line,
		forbid: policy.Effect() == cedar.Forbid, lift: lifted, policy: policy, body: body, names: names, reads: contextReads(body)})
	last := words[len(words)-1]
	stepUp := lifted.stepUp
	if lifted.sensitive {
		stepUp = ofResource
	}
	p.rules = append(p.rules, Rule{ID: id, File: f.Name, Line: line, Forbid: policy.Effect() == cedar.Forbid, Text: f.Text[start : last.offset+len(last.text)],
		Comment: commentAbove(f.Text[:start]), StepUp: stepUp, Approval: lifted.approval})
}

// commentAbove is the comment that a text ends with.
func commentAbove(text string) string {
	lines := strings.Split(text, "\n")
	first := len(lines) - 1 // the line on which the policy begins
	for first > 0 && strings.HasPrefix(strings.TrimSpace(lines[first-1]), "//") {
		first--
	}
	return strings.Join(lines[first:len(lines)-1], "\n")
}

// flatten lists the errors that errors.Join joined, each message once.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	seen := map[string]bool{}
	for _, e := range joined.Unwrap() {
		for _, one := range flatten(e) {
			if !seen[one.Error()] {
				seen[one.Error()] = true
				out = append(out, one)
			}
		}
	}
	return out
}

func (p *parser) set() *Set {
	s := &Set{tenant: p.tenant, slices: map[identity.Action]*sliceTable{}, rules: p.rules, all: p.policies}
	for uid, action := range p.schema.Actions {
		table := &sliceTable{}
		s.slices[identity.Action(uid.ID)] = table
		for _, resource := range action.AppliesTo.Resources {
			for _, principal := range action.AppliesTo.Principals {
				table[place(resource)][place(principal)] = &lazySlice{key: sliceKey{identity.Action(uid.ID), resource, principal}}
			}
		}
	}
	return s
}
