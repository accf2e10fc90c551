package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/policy/cases"
	"github.com/lanyardhq/lanyard/internal/source"
)

// policyFiles are policies and their test cases, as files hold them.
type policyFiles struct {
	tenant   identity.TenantID
	policies []policy.File
	cases    []policy.File
}

// readPolicies reads the policy folder of a configuration and what the arguments name: files, and folders of them.
func readPolicies(configFile string, paths []string) (policyFiles, error) {
	files := policyFiles{tenant: cases.Tenant}
	if configFile != "" {
		c, err := config.Read(configFile)
		if err != nil {
			return files, err
		}
		files.tenant = c.Tenant()
		if c.Policies != "" {
			paths = append([]string{c.Policies}, paths...)
		}
	}
	for _, path := range paths {
		if err := files.add(path); err != nil {
			return files, err
		}
	}
	return files, nil
}

func (f *policyFiles) add(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return f.file(path, true)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := f.file(filepath.Join(path, e.Name()), false); err != nil {
			return err
		}
	}
	return nil
}

// file reads one file, by what its name says it is. Others are an error when somebody named them.
func (f *policyFiles) file(path string, named bool) error {
	into := &f.policies
	switch {
	case strings.HasSuffix(path, ".cedar"):
	case strings.HasSuffix(path, cases.Suffix):
		into = &f.cases
	case named:
		return usage("%s is neither a policy file (*.cedar) nor one of test cases (*%s)", path, cases.Suffix)
	default:
		return nil
	}
	if slices.ContainsFunc(*into, func(one policy.File) bool { return one.Name == path }) {
		return nil
	}
	text, err := readLimited(path)
	if err != nil {
		return err
	}
	*into = append(*into, policy.File{Name: path, Text: text})
	return nil
}

// readLimited reads a file up to a little more than is accepted, so that the parsers can say that it is too long.
func readLimited(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, source.MaxSize+1))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return string(text), nil
}

// parse checks the policies, together with those that ship with Lanyard.
func (f policyFiles) parse() (*policy.Set, error) {
	return policy.Parse(policy.Source{Tenant: f.tenant, Files: f.policies})
}
