package cli

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

func (a *app) policy() *cobra.Command {
	return family("policy", "Show, check and test policies", a.policyShow(), a.policyCheck(), a.policyTest())
}

// PolicyRule is one policy as `policy show --json` prints it.
type PolicyRule struct {
	ID       string `json:"id"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Effect   string `json:"effect"` // permit or forbid
	StepUp   string `json:"step_up,omitempty"`
	Approval string `json:"approval,omitempty"`
	Text     string `json:"text"`
}

func ruleOf(r policy.Rule) PolicyRule {
	out := PolicyRule{ID: r.ID, File: r.File, Line: r.Line, Effect: "permit", StepUp: r.StepUp, Approval: r.Approval, Text: r.Text}
	if r.Forbid {
		out.Effect = "forbid"
	}
	return out
}

func (a *app) policyShow() *cobra.Command {
	var config string
	var asJSON, schema bool
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "Print the policies in force, each with its file and line",
		Long: `Prints the policies that ship with Lanyard, which say what each role may do, and with --config those of your own
folder beside them; with an ID that one policy. "lanyard why" names policies by these IDs. A forbid stands whatever
another policy permits. --schema prints what policies may speak of.`,
		Example: `  lanyard policy show
  lanyard policy show developers-write
  lanyard policy show --config lanyard.yaml --json
  lanyard policy show --schema`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if schema {
				a.out.text(policy.Schema())
				return nil
			}
			files, err := readPolicies(config, nil)
			if err != nil {
				return err
			}
			set, err := files.parse()
			if err != nil {
				return err
			}
			rules := set.Rules()
			if len(args) == 1 {
				if rules, err = oneRule(rules, args[0]); err != nil {
					return err
				}
			}
			if asJSON {
				list := make([]PolicyRule, len(rules))
				for i, r := range rules {
					list[i] = ruleOf(r)
				}
				return a.out.json(list)
			}
			for i, r := range rules {
				if i > 0 {
					a.out.line("")
				}
				a.out.line("// %s:%d", r.File, r.Line)
				a.out.text(strings.ReplaceAll(strings.TrimPrefix(r.Comment+"\n"+r.Text, "\n"), "\t", "    "))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			files, err := readPolicies(config, nil)
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			set, err := files.parse()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var ids []cobra.Completion
			for _, r := range set.Rules() {
				ids = append(ids, clean(r.ID))
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` whose policies to show too")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the schema: entities, actions and circumstances")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the policies as JSON")
	return cmd
}

func oneRule(rules []policy.Rule, id string) ([]policy.Rule, error) {
	var known []string
	for _, r := range rules {
		if r.ID == id {
			return []policy.Rule{r}, nil
		}
		known = append(known, r.ID)
	}
	if near := source.Nearest(id, known); near != "" {
		return nil, usage("there is no policy %q; did you mean %q?", id, near)
	}
	return nil, usage("there is no policy %q; `lanyard policy show` lists those that ship with Lanyard, --config FILE adds your own", id)
}

// PolicyCheck is what `policy check --json` prints.
type PolicyCheck struct {
	Findings []string `json:"findings"` // each with its place: "file:line:column: what"
	Files    int      `json:"files"`
	Policies int      `json:"policies"` // your own, when all is in order
}

func (a *app) policyCheck() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE|FOLDER…]",
		Short: "Check policy files: syntax, schema, step-ups and approvals",
		Long: `Checks policies as the server does when it loads them: syntax and schema; people and groups are named by object ID;
a forbid with @step_up is proven to go away when the person signs in with that context; @approval names a group. What
is wrong is told with file, line and column. Without files, those of the configuration are checked, and without that
those of this folder. Nothing is started and nothing changed.`,
		Example: `  lanyard policy check --config lanyard.yaml
  lanyard policy check policies/payments.cedar
  lanyard policy check policies --json`,
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := readPolicies(config, where(config, args))
			if err != nil {
				return err
			}
			if len(files.policies) == 0 {
				return usage("there is no policy file (*.cedar) to check; name one, or its folder")
			}
			report := PolicyCheck{Findings: []string{}, Files: len(files.policies)}
			set, err := files.parse()
			var found source.Findings
			switch {
			case errors.As(err, &found):
				for _, f := range found {
					report.Findings = append(report.Findings, f.String())
				}
			case err != nil:
				return err
			default:
				report.Policies = len(own(set.Rules()))
			}
			if asJSON {
				if err := a.out.json(report); err != nil {
					return err
				}
			} else {
				for _, f := range report.Findings {
					a.out.line("%s", f)
				}
				if len(found) == 0 {
					a.out.line("%s in %s: all in order.", policies(report.Policies), count(report.Files, "file"))
				}
			}
			if len(found) > 0 {
				return statusError{status: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` whose policies to check")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// where is what to read when nothing is named: this folder.
func where(config string, args []string) []string {
	if config == "" && len(args) == 0 {
		return []string{"."}
	}
	return args
}

// own leaves out the policies that ship with Lanyard.
func own(rules []policy.Rule) []policy.Rule {
	var out []policy.Rule
	for _, r := range rules {
		if r.File != policy.ShippedFile {
			out = append(out, r)
		}
	}
	return out
}

func policies(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return strconv.Itoa(n) + " policies"
}
