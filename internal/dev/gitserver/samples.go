package gitserver

import "time"

var sampleStart = time.Date(2026, 1, 12, 9, 30, 0, 0, time.UTC)

const (
	ada      = "Ada Lovelace <ada@contoso.example>"
	grace    = "Grace Hopper <grace@contoso.example>"
	barbara  = "Barbara Liskov <barbara@contoso.example>"
	alan     = "Alan Turing <alan@contoso.example>"
	radia    = "Radia Perlman <radia@contoso.example>"
	edsger   = "Edsger Dijkstra <edsger@contoso.example>"
	margaret = "Margaret Hamilton <margaret@contoso.example>"
)

// What workspaces on two of the repositories are, in both formats. They run in every runtime: they name no image.
const (
	samplePlan = `# What a workspace on this repository is: docs/workspaces.md says what else can stand here.
tasks:
  - name: hello
    init: git --no-pager log --oneline --max-count 5
    command: cat README.md
ports:
  - port: 8080
    name: payments API
    onOpen: notify
`
	sampleDevcontainer = `// What a workspace on this repository is: docs/workspaces.md says what else can stand here.
{
	"name": "shop",
	"containerEnv": { "SHOP": "sample" },
	"postCreateCommand": "git status --short --branch",
	"forwardPorts": [8000],
	"portsAttributes": { "8000": { "label": "shop", "onAutoForward": "notify" } },
}
`
)

// Samples are the repositories of the sample organisation.
func Samples() []Repository {
	day := func(n int) time.Time { return sampleStart.AddDate(0, 0, n) }
	return []Repository{
		{Name: "payments/api", Requests: map[int]string{7: "refunds"}, Commits: []Commit{
			{Author: ada, At: day(0), Message: "Begin the payments API\n", Files: map[string]string{
				".gitpod.yml": samplePlan, "README.md": "# Payments API\n\nTakes orders to pay and keeps the books in the ledger.\n", "go.mod": "module payments.contoso.example/api\n\ngo 1.26\n",
				"main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"payments\") }\n"}},
			{Author: grace, At: day(1), Message: "Add amounts in minor units\n", Files: map[string]string{
				"amount/amount.go": "// Package amount holds money in minor units of a currency.\npackage amount\n\ntype Amount struct {\n\tMinor    int64\n\tCurrency string\n}\n"}},
			{Author: barbara, At: day(3), Message: "Say how to reach the ledger from a workspace\n", Files: map[string]string{
				"README.md": "# Payments API\n\nTakes orders to pay and keeps the books in the ledger.\n\n## The ledger\n\nIn a workspace:\n\n    curl http://127.0.0.1:7070/r/ledger/entries\n"}},
			{Author: ada, At: day(8), Message: "Refuse amounts below zero\n", Files: map[string]string{
				"amount/amount.go": "// Package amount holds money in minor units of a currency.\npackage amount\n\nimport \"errors\"\n\ntype Amount struct {\n\tMinor    int64\n\tCurrency string\n}\n\nvar ErrNegative = errors.New(\"an amount below zero\")\n\nfunc (a Amount) Check() error {\n\tif a.Minor < 0 {\n\t\treturn ErrNegative\n\t}\n\treturn nil\n}\n"}},
			{Author: barbara, At: day(9), Branch: "refunds", Message: "Begin refunds\n", Files: map[string]string{
				"refund/refund.go": "// Package refund gives money back.\npackage refund\n"}},
		}},
		{Name: "payments/legacy", Commits: []Commit{
			{Author: grace, At: day(-900), Message: "Import the batch jobs\n", Files: map[string]string{
				"README": "Nightly batch jobs. Being replaced by payments/api.\n", "nightly.sh": "#!/bin/sh\necho settle\n"}},
			{Author: ada, At: day(-30), Message: "Point at the successor\n", Files: map[string]string{
				"README": "Nightly batch jobs. Being replaced by https://git.example.test/payments/api.\n"}},
		}},
		{Name: "shop/web", Commits: []Commit{
			{Author: radia, At: day(0), Message: "Begin the shop\n", Files: map[string]string{
				".devcontainer/devcontainer.json": sampleDevcontainer, "README.md": "# Shop\n\nThe web shop.\n", "index.html": "<!doctype html>\n<title>Shop</title>\n<h1>Shop</h1>\n"}},
			{Author: alan, At: day(2), Message: "Add a basket\n", Files: map[string]string{"basket.js": "export const basket = [];\n"}},
		}},
		{Name: "platform/tools", Commits: []Commit{
			{Author: edsger, At: day(0), Message: "Collect the tools\n", Files: map[string]string{"README.md": "# Tools\n\nWhat the platform team uses every day.\n"}},
			{Author: margaret, At: day(4), Message: "Add a check list for releases\n", Files: map[string]string{"release.md": "# Before a release\n\n1. Read the log.\n"}},
		}},
	}
}
