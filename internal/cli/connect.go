package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

// dataFolder is where Lanyard keeps its data unless it is told otherwise.
func (a *app) dataFolder() string {
	if os.Geteuid() == 0 {
		return "/var/lib/lanyard"
	}
	if base := a.c.Env("XDG_DATA_HOME"); filepath.IsAbs(base) { // the specification ignores relative ones
		return filepath.Join(base, "lanyard")
	}
	return filepath.Join(a.c.Env("HOME"), ".local", "share", "lanyard")
}

// socketPath is where the server's socket is looked for.
func (a *app) socketPath() string {
	if a.socket != "" {
		return a.socket
	}
	if s := a.c.Env("LANYARD_SOCKET"); s != "" {
		return s
	}
	return filepath.Join(a.dataFolder(), "lanyard.sock")
}

// operator reaches the server as its operator. The caller closes it.
func (a *app) operator() *remote.Remote { return remote.Socket(a.socketPath()) }

// connect reaches the server as a sample user; without one, as who signed in from this machine; and without that, or when a
// socket is named, as the operator. The caller closes it.
func (a *app) connect(ctx context.Context, user string) (*remote.Remote, error) {
	operator := a.operator()
	if user == "" {
		if a.socket != "" || a.context == "" && a.c.Env("LANYARD_SOCKET") != "" {
			return operator, nil
		}
		s := a.accounts()
		c, err := s.Find(a.context)
		if err != nil || c == nil {
			return operator, err
		}
		operator.Close()
		return remote.Over(s.Transport(*c), c.URL), nil
	}
	defer operator.Close()
	info, err := operator.Dev(ctx)
	if err != nil {
		return nil, err
	}
	person, err := info.User(user)
	if err != nil {
		return nil, err
	}
	return info.SignIn(ctx, person)
}

// reach is connect for a command that may be asked about others, and so has no sample user to be.
func (a *app) reach(ctx context.Context) (*remote.Remote, error) { return a.connect(ctx, "") }

// signInFlag adds --user to a command that may be run as a sample user.
func (a *app) signInFlag(cmd *cobra.Command, user *string) {
	cmd.Flags().StringVar(user, "user", "", "sign in as this sample `user` first (only under lanyard dev)")
	_ = cmd.RegisterFlagCompletionFunc("user", a.completeUsers) // fails for an unknown flag only
}
