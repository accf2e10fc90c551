package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/policy/cases"
	"github.com/lanyardhq/lanyard/internal/source"
)

// PolicyTest is what `policy test --json` prints.
type PolicyTest struct {
	Cases    int             `json:"cases"`
	Failures []PolicyFailure `json:"failures"`
	Coverage PolicyCoverage  `json:"coverage"`
}

// PolicyFailure is a case that came out otherwise than it wants.
type PolicyFailure struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// PolicyCoverage says which policies the cases put to the test: those that decided one. A policy whose condition only
// held beside a forbid that decided is not among them.
type PolicyCoverage struct {
	Policies int              `json:"policies"`
	Decided  int              `json:"decided"`
	Missing  []PolicyUntested `json:"missing"`
}

// PolicyUntested is a policy that decided no case.
type PolicyUntested struct {
	ID   string `json:"id"`
	File string `json:"file"`
	Line int    `json:"line"`
	Held int    `json:"held"` // cases in which its condition held all the same
}

func (a *app) policyTest() *cobra.Command {
	var config string
	var asJSON, coverage, shipped bool
	cmd := &cobra.Command{
		Use:   "test [FILE|FOLDER…]",
		Short: "Play the test cases beside the policies, and say which policies none of them puts to the test",
		Long: `Reads policies (*.cedar) and test cases (*_test.yaml), plays the cases and prints those that fail, each with file and
line. A case names people with their roles and groups, what they ask for and in which circumstances, and what must
come of it: allow, deny, step up or request. Nothing but the files is read: no directory, no server. The policies that
ship with Lanyard take part.

Then it names the policies that decided no case. With --coverage that is a failure.`,
		Example: `  lanyard policy test
  lanyard policy test --config lanyard.yaml --coverage
  lanyard policy test policies/payments.cedar policies/payments_test.yaml --json

  # policies/payments_test.yaml
  users:
    carla: {roles: {payments: developer}, groups: [cccccccc-0000-0000-0000-000000000002]}
  tests:
    - name: contractors push from the office only
      user: carla
      action: repo:write
      resource: {repo: https://git.example.com/payments/api, project: payments}
      context: {ip: 203.0.113.9}
      expect: deny
      policies: [office-only]`,
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := readPolicies(config, where(config, args))
			if err != nil {
				return err
			}
			report, err := files.play(shipped)
			if err != nil {
				return err
			}
			if asJSON {
				if err := a.out.json(report); err != nil {
					return err
				}
			} else {
				a.showPolicyTest(report)
			}
			if len(report.Failures) > 0 || coverage && len(report.Coverage.Missing) > 0 {
				return statusError{status: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` whose policy folder to test")
	cmd.Flags().BoolVar(&coverage, "coverage", false, "fail when a policy decided no case")
	cmd.Flags().BoolVar(&shipped, "shipped", false, "count the policies that ship with Lanyard, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// play reads the cases and plays them; what is wrong in any file is one error.
func (f policyFiles) play(shipped bool) (PolicyTest, error) {
	report := PolicyTest{Failures: []PolicyFailure{}, Coverage: PolicyCoverage{Missing: []PolicyUntested{}}}
	if len(f.cases) == 0 {
		return report, usage("there is no file of test cases (*%s); `lanyard policy test --help` shows one", cases.Suffix)
	}
	var wrong source.Findings
	collect := func(err error) error {
		var found source.Findings
		if errors.As(err, &found) {
			wrong = append(wrong, found...)
			return nil
		}
		return err
	}
	set, err := f.parse()
	if err := collect(err); err != nil {
		return report, err
	}
	var read []*cases.File
	for _, one := range f.cases {
		file, err := cases.Parse(f.tenant, one.Name, one.Text)
		if err := collect(err); err != nil {
			return report, err
		}
		read = append(read, file)
	}
	if len(wrong) > 0 {
		return report, wrong
	}
	result := cases.Run(set, read)
	report.Cases = result.Cases
	for _, one := range result.Failures {
		report.Failures = append(report.Failures, PolicyFailure{one.File, one.Line, one.Message})
	}
	for _, one := range result.Rules {
		if one.File == policy.ShippedFile && !shipped {
			continue
		}
		report.Coverage.Policies++
		if one.Decided > 0 {
			report.Coverage.Decided++
			continue
		}
		report.Coverage.Missing = append(report.Coverage.Missing, PolicyUntested{one.ID, one.File, one.Line, one.Held})
	}
	return report, nil
}

func (a *app) showPolicyTest(r PolicyTest) {
	for _, f := range r.Failures {
		a.out.line("%s:%d: %s", f.File, f.Line, f.Message)
	}
	if n := len(r.Failures); n > 0 {
		a.out.line("%s, %d failed.", count(r.Cases, "case"), n)
	} else {
		a.out.line("%s, none failed.", count(r.Cases, "case"))
	}
	c := r.Coverage
	if c.Policies == 0 {
		return
	}
	if len(c.Missing) == 0 {
		a.out.line("Every policy decided a case.")
		return
	}
	a.out.line("%d of %s decided a case. These did not:", c.Decided, policies(c.Policies))
	for _, one := range c.Missing {
		why := "no case meets its condition"
		if one.Held > 0 {
			why = "its condition held in " + count(one.Held, "case") + ", and others decided"
		}
		a.out.line("  %s:%d: %s: %s", one.File, one.Line, one.ID, why)
	}
}
