package inside

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// role is a role at AWS, and how it is assumed.
type role struct {
	audience, arn string
	seconds       int
	gitpod        bool
}

var (
	roleForm     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`)
	audienceForm = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9._:/-]{0,255}$`)
	profileForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@/+-]*$`)
)

func (r *role) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.arn, "role-arn", "", "the role to assume (`ARN`; default $IDP_AWS_ROLE_ARN)")
	cmd.Flags().StringVar(&r.audience, "audience", audienceAWS, "the `name` or aud of the audience that the role trusts")
	cmd.Flags().IntVar(&r.seconds, "duration-seconds", 3600, "how long AWS's own session shall last, in `seconds`, from 900; it cannot be ended early")
}

// check refuses what is no role or audience. Some of AWS's libraries run what stands in a profile by a shell, so nothing of a
// shell's may get there.
func (r *role) check() error {
	switch {
	case r.arn == "":
		return usage("say which role with --role-arn, or in IDP_AWS_ROLE_ARN")
	case !roleForm.MatchString(r.arn):
		return usage("%q is not the ARN of a role", r.arn)
	case r.seconds < 900 || r.seconds > 43200:
		return usage("a session at AWS lasts for between 900 and 43200 seconds")
	case !audienceForm.MatchString(r.audience):
		return usage("%q is not an audience", r.audience)
	}
	return nil
}

func (a *app) loginAWS() *cobra.Command {
	var r role
	var profile string
	cmd := &cobra.Command{
		Use:   "aws --role-arn ARN",
		Short: "Make AWS's tools and libraries use a role",
		Long: `Write a profile into AWS's configuration that asks this workspace for credentials of a role whenever they are needed
(credential_process). No key of AWS is written to a file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.arn = a.orEnv(r.arn, "IDP_AWS_ROLE_ARN")
			if err := r.check(); err != nil {
				return err
			}
			if !profileForm.MatchString(profile) {
				return usage("%q cannot be a profile's name", profile)
			}
			path := a.c.Env("AWS_CONFIG_FILE")
			if path == "" {
				path = filepath.Join(a.c.Env("HOME"), ".aws", "config")
			}
			process := fmt.Sprintf("%s/lanyard aws-credential --gitpod --audience %s --role-arn %s --duration-seconds %d", agentapi.CommandFolder, r.audience, r.arn, r.seconds)
			if err := setProfile(path, profile, "credential_process", process); err != nil {
				return fmt.Errorf("write the profile: %w", err)
			}
			if _, err := a.mint(cmd.Context(), api.TokenOrder{Audience: r.audience, Gitpod: true}); err != nil { // says now what would fail later
				return err
			}
			fmt.Fprintf(a.c.Stdout, "The profile %s in %s uses %s. AWS's tools ask this workspace for credentials when they need them.\n", profile, clean(path), r.arn)
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&profile, "profile", "default", "the `name` of the profile in AWS's configuration")
	return cmd
}

func (a *app) awsCredential() *cobra.Command {
	var r role
	cmd := &cobra.Command{
		Use:   "aws-credential --role-arn ARN",
		Short: "Be AWS's credential_process: print credentials of a role",
		Long: `Ask AWS's security token service for credentials of a role, with a token of this workspace, and print them as AWS's tools
and libraries read them of a credential_process. AWS's own session ends with its time; nobody can end it early.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.arn = a.orEnv(r.arn, "IDP_AWS_ROLE_ARN")
			if err := r.check(); err != nil {
				return err
			}
			t, err := a.mint(cmd.Context(), api.TokenOrder{Audience: r.audience, Gitpod: r.gitpod})
			if err != nil {
				return err
			}
			keys, err := a.assume(cmd.Context(), r, t.Token)
			if err != nil {
				return err
			}
			return a.json(keys)
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&r.gitpod, "gitpod", false, "with the claims that Gitpod's tokens had")
	return cmd
}

// awsKeys are credentials as a credential_process prints them:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
type awsKeys struct {
	Version         int
	AccessKeyId     string //nolint:revive // AWS's name
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// assume calls AssumeRoleWithWebIdentity, which takes no signature:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func (a *app) assume(ctx context.Context, r role, token string) (awsKeys, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	name := a.c.Env("LANYARD_WORKSPACE_ID")
	if name == "" {
		name = "lanyard"
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {r.arn}, "RoleSessionName": {name},
		"DurationSeconds": {strconv.Itoa(r.seconds)}, "WebIdentityToken": {token},
	}
	address := a.awsEndpoint()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return awsKeys{}, usage("AWS's address %q: %v", address, err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return awsKeys{}, problem.Wrap(err, problem.Unavailable, "AWS's security token service cannot be reached at %s from this workspace: %v. Workspaces reach only what their project allows.", address, unwrapped(err))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return awsKeys{}, fmt.Errorf("read the answer of AWS: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		var refused struct {
			Code    string `xml:"Error>Code"`
			Message string `xml:"Error>Message"`
		}
		_ = xml.Unmarshal(text, &refused) // an answer of something else has only its status
		return awsKeys{}, problem.New(problem.Denied, "AWS refused: %s %s %s", answer.Status, refused.Code, refused.Message)
	}
	var got struct {
		Keys awsKeys `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(text, &got); err != nil || got.Keys.AccessKeyId == "" {
		return awsKeys{}, fmt.Errorf("the answer of AWS holds no credentials: %w", err)
	}
	got.Keys.Version = 1
	return got.Keys, nil
}

// awsEndpoint is where AWS's own tools would ask:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (a *app) awsEndpoint() string {
	if e := a.c.Env("AWS_ENDPOINT_URL_STS"); e != "" {
		return e
	}
	if region := a.orEnv(a.c.Env("AWS_REGION"), "AWS_DEFAULT_REGION"); region != "" {
		return "https://sts." + region + ".amazonaws.com/"
	}
	return "https://sts.amazonaws.com/"
}

// unwrapped is an HTTP client's error without the address, which a token might be in.
func unwrapped(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
