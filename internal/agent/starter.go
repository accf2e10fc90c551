package agent

import (
	"fmt"
	"os"
	"strconv"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Starter returns the Ready of a Config for the descriptor that agentapi.StarterEnv names; nil when it names none.
func Starter(fd string) func() error {
	n, err := strconv.Atoi(fd)
	if err != nil || n < 3 {
		return nil
	}
	return func() error {
		f := os.NewFile(uintptr(n), "starter")
		defer f.Close()
		if _, err := f.WriteString(agentapi.StarterReady); err != nil {
			return fmt.Errorf("tell the starter: %w", err)
		}
		answer := make([]byte, len(agentapi.StarterGo))
		if k, err := f.Read(answer); err != nil || string(answer[:k]) != agentapi.StarterGo {
			return fmt.Errorf("the starter is gone (%q, %v)", answer[:k], err)
		}
		return nil
	}
}
