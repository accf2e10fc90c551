package entrasim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// customTemplateID is the application template of an enterprise application that is in no gallery. What is made of it
// can be provisioned; the service principal of an app registration cannot.
//
// https://learn.microsoft.com/graph/application-provisioning-configure-api
const customTemplateID = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"

// graphTemplates answers /applicationTemplates/{id}/instantiate: an application and its service principal in one.
func (t *Tenant) graphTemplates(r graphRequest) (graphAnswer, error) {
	custom := entity{"id": customTemplateID, "displayName": "Custom", "publisher": nil, "supportedProvisioningTypes": []string{"sync"}, "supportedSingleSignOnModes": []string{"saml"}}
	switch {
	case len(r.path) == 1 && r.Method == http.MethodGet:
		return t.entities(r, "applicationTemplates", "applicationTemplate", map[string]entity{customTemplateID: custom})
	case len(r.path) < 2 || !strings.EqualFold(r.path[1], customTemplateID):
		return graphAnswer{}, notFound(strings.Join(r.path[1:], "/"))
	case len(r.path) == 2 && r.Method == http.MethodGet:
		return t.oneEntity(r, "applicationTemplates", "applicationTemplate", custom)
	case len(r.path) != 3 || r.path[2] != "instantiate" || r.Method != http.MethodPost:
		return graphAnswer{}, notAllowed(r.Method)
	case !r.mayRegister(nil):
		return graphAnswer{}, forbidden()
	}
	var body struct{ DisplayName string }
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	app, err := t.instantiate(body.DisplayName, r.ObjectID)
	if err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{Status: http.StatusCreated, Body: entity{
		"@odata.context": t.graphURL("$metadata#microsoft.graph.applicationServicePrincipal"),
		"application":    t.applicationEntity(app, r), "servicePrincipal": t.principalEntity(app),
	}}, nil
}

// instantiate makes an application and its service principal of the custom template. t.mu is held.
func (t *Tenant) instantiate(name, owner string) (App, error) {
	role := func(id, name string) entity {
		return entity{"id": id, "allowedMemberTypes": []any{"User"}, "displayName": name, "description": name, "isEnabled": true, "value": nil}
	}
	app, err := t.newApplication(entity{"displayName": name, "signInAudience": "AzureADMyOrg", "appRoles": []any{
		role("18d14569-c3bd-439b-9a66-3a2aee01d14f", "User"), role("b9632174-c057-4f7e-951b-be3adc52bfe6", "msiam_access")}}, owner)
	if err != nil {
		return App{}, err
	}
	app.PrincipalID, app.AssignmentRequired = newGUID(), true
	app.registered.PrincipalMade, app.registered.Template = t.now(), customTemplateID
	app.registered.Principal = entity{"tags": []any{"WindowsAzureActiveDirectoryCustomSingleSignOnApplication", "WindowsAzureActiveDirectoryIntegratedApp"}}
	t.apps[app.ClientID] = app
	t.saveApps()
	return app, nil
}

// synchronization is what was said of an app's provisioning.
type synchronization struct {
	Address, Secret string // tenant URL and secret token
	JobID           string // empty: there is no job
	Running         bool
	ObjectID        bool // externalId is mapped from objectId
	Since           time.Time
	Run             ProvisioningRun // the last one
}

// graphSynchronization answers /servicePrincipals/{id}/synchronization: templates, secrets and one job.
//
// https://learn.microsoft.com/graph/api/resources/synchronization-overview
func (t *Tenant) graphSynchronization(r graphRequest, app App, rest []string) (graphAnswer, error) {
	if !r.may(syncWrite, appWrite, DirectoryWrite) && !(r.may(appWriteOwned) && r.mayRegister(&app)) {
		return graphAnswer{}, forbidden()
	}
	if app.registered.Template == "" {
		return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "UnsupportedApplication",
			Message: "Provisioning is not supported for this service principal: it was not made of an application template."}
	}
	context := "servicePrincipals('" + app.PrincipalID + "')/synchronization/"
	s := app.registered.Sync
	set := func(f func(*synchronization)) error {
		return t.editApp(app.ClientID, func(a *App) error { f(&a.registered.Sync); return nil })
	}
	job := strings.Join(rest[min(len(rest), 2):], "/")
	switch operation := r.Method + " " + strings.Join(rest[:min(len(rest), 1)], ""); {
	case operation == "GET templates":
		return t.entities(r, context+"templates", "synchronizationTemplate", map[string]entity{"scim": {"id": "scim", "applicationId": app.ClientID, "default": true,
			"description": "SCIM", "discoverable": true, "factoryTag": "CustomSCIM", "schema": nil, "metadata": []entity{}}})
	case operation == "PUT secrets":
		var body struct{ Value []struct{ Key, Value string } }
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		return graphAnswer{}, set(func(s *synchronization) {
			for _, v := range body.Value {
				switch v.Key {
				case "BaseAddress":
					s.Address = v.Value
				case "SecretToken":
					s.Secret = v.Value
				}
			}
		})
	case operation == "GET secrets":
		value := []entity{}
		if s.Address != "" {
			value = append(value, entity{"key": "BaseAddress", "value": s.Address})
		}
		if s.Secret != "" {
			value = append(value, entity{"key": "SecretToken", "value": "*"})
		}
		return graphAnswer{Body: entity{"@odata.context": t.context(context+"secrets", nil), "value": value}}, nil
	case operation == "GET jobs" && len(rest) == 1:
		byID := map[string]entity{}
		if s.JobID != "" {
			byID[s.JobID] = s.job()
		}
		return t.entities(r, context+"jobs", "synchronizationJob", byID)
	case operation == "POST jobs" && len(rest) == 1:
		var body struct{ TemplateID string }
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		if !strings.EqualFold(body.TemplateID, "scim") {
			return graphAnswer{}, badRequest("The synchronization template '" + body.TemplateID + "' is not known.")
		}
		if s.JobID != "" {
			return graphAnswer{}, &graphError{Status: http.StatusConflict, Code: "DuplicateJob", Message: "A job of this template is there already."}
		}
		made := synchronization{Address: s.Address, Secret: s.Secret, JobID: t.newJobID(), Since: t.now()}
		if err := set(func(s *synchronization) { *s = made }); err != nil {
			return graphAnswer{}, err
		}
		e := made.job()
		e["@odata.context"] = t.context(context+"jobs", nil) + "/$entity"
		return graphAnswer{Status: http.StatusCreated, Body: e}, nil
	case operation == "POST jobs" && len(rest) == 3 && job == "validateCredentials":
		return graphAnswer{}, t.validateCredentials(r, s)
	case len(rest) < 2 || s.JobID == "" || rest[1] != s.JobID:
		return graphAnswer{}, notFound(strings.Join(rest, "/"))
	case operation == "GET jobs" && job == "":
		return t.oneEntity(r, context+"jobs", "synchronizationJob", s.job())
	case operation == "POST jobs" && (job == "start" || job == "restart"):
		if s.Address == "" {
			return graphAnswer{}, badRequest("The job has no credentials: BaseAddress and SecretToken.")
		}
		return graphAnswer{}, set(func(s *synchronization) { s.Running, s.Since = true, t.now() })
	case operation == "POST jobs" && job == "pause":
		return graphAnswer{}, set(func(s *synchronization) { s.Running, s.Since = false, t.now() })
	case operation == "DELETE jobs" && job == "":
		return graphAnswer{}, set(func(s *synchronization) { s.JobID, s.Running = "", false })
	}
	return graphAnswer{}, notAllowed(r.Method)
}

func (s synchronization) job() entity {
	state, code := "Disabled", "Paused"
	if s.Running {
		state, code = "Active", "Active"
	}
	var last, quarantine any
	if run := s.Run; !run.Ended.IsZero() {
		outcome, failure := "Succeeded", any(nil)
		if run.Error != "" {
			outcome, failure = "Failed", entity{"code": "EndpointFailed", "message": run.Error, "tenantActionable": true}
		}
		last = entity{"state": outcome, "timeEnded": run.Ended.UTC().Format(graphTime), "countExported": run.Changes, "countEscrowed": run.Failures, "error": failure}
		if run.Quarantined && s.Running {
			code, quarantine = "Quarantine", entity{"reason": "EncounteredBaseEscrowThreshold", "currentBegan": run.Ended.UTC().Format(graphTime), "error": failure}
		}
	}
	return entity{"id": s.JobID, "templateId": "scim", "schedule": entity{"expiration": nil, "interval": "PT40M", "state": state},
		"status": entity{"code": code, "countSuccessiveCompleteFailures": 0, "escrowsPruned": false, "quarantine": quarantine, "lastExecution": last,
			"steadyStateFirstAchievedTime": "0001-01-01T00:00:00Z", "troubleshootingUrl": nil, "progress": []entity{}},
		"synchronizationJobSettings": []entity{}}
}

// validateCredentials asks the endpoint for a user that cannot exist.
func (t *Tenant) validateCredentials(r graphRequest, s synchronization) error {
	var body struct {
		UseSavedCredentials bool
		Credentials         []struct{ Key, Value string }
	}
	if err := r.body(&body); err != nil {
		return err
	}
	for _, c := range body.Credentials {
		switch c.Key {
		case "BaseAddress":
			s.Address = c.Value
		case "SecretToken":
			s.Secret = c.Value
		}
	}
	if err := t.askEndpoint(r.Context(), s); err != nil {
		return &graphError{Status: http.StatusBadRequest, Code: "CredentialValidationFailed", Message: "The credentials could not be validated: " + err.Error() + "."}
	}
	return nil
}

func (t *Tenant) askEndpoint(ctx context.Context, s synchronization) error {
	ctx, cancel := context.WithTimeout(ctx, 2*discoveryTime)
	defer cancel()
	base, flags, _ := strings.Cut(s.Address, "?")
	query := "filter=" + url.QueryEscape(`userName eq "`+newGUID()+`"`)
	if flags != "" {
		query += "&" + flags
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/Users?"+query, nil)
	if err != nil || !slices.Contains([]string{"http", "https"}, req.URL.Scheme) {
		return fmt.Errorf("the tenant URL is none")
	}
	req.Header.Set("Authorization", "Bearer "+s.Secret)
	req.Header.Set("Accept", "application/scim+json")
	answer, err := t.deliver.Do(req)
	if err != nil {
		return fmt.Errorf("the endpoint is out of reach: %s", reason(err))
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the endpoint answered %s", answer.Status)
	}
	return nil
}
