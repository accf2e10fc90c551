package entrasim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// longestSubscription is the maximum life of a subscription to users or groups.
const longestSubscription = 41760 * time.Minute

// How many subscriptions to users and groups there may be, and how long one goes on that should be authorized anew.
const (
	subscriptionsOfApp    = 100
	subscriptionsOfTenant = 1000
	reauthorizeWithin     = 10 * time.Minute
)

// subscription is a registered receiver of change notifications. Fields are guarded by [Tenant.mu];
// queue is what waits for its delivery goroutine.
type subscription struct {
	ID           string
	AppID        string
	CreatorID    string
	Resource     string // as given
	ChangeType   string // as given, such as "updated,deleted"
	URL          string
	LifecycleURL string
	ClientState  string
	TLS          string
	Expires      time.Time
	AuthorizedTo time.Time // set while it should be authorized anew: nothing is delivered that happens later

	queue  []notification
	wake   chan struct{} // holds one token when there is something in queue
	closed chan struct{} // closed when the subscription ends
}

type subscriptionBody struct {
	ChangeType               string  `json:"changeType"`
	NotificationURL          string  `json:"notificationUrl"`
	LifecycleNotificationURL string  `json:"lifecycleNotificationUrl"`
	Resource                 string  `json:"resource"`
	Expiration               *string `json:"expirationDateTime"`
	ClientState              string  `json:"clientState"`
	LatestSupportedTLS       string  `json:"latestSupportedTlsVersion"`
	IncludeResourceData      bool    `json:"includeResourceData"`
}

func (t *Tenant) graphSubscriptions(r graphRequest) (graphAnswer, error) {
	if len(r.path) == 1 {
		switch r.Method {
		case http.MethodPost:
			return t.subscribe(r)
		case http.MethodGet:
			t.mu.Lock()
			defer t.mu.Unlock()
			var value []entity
			for _, s := range t.subs {
				if s.AppID == r.ClientID {
					value = append(value, s.entity())
				}
			}
			slices.SortFunc(value, func(a, b entity) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
			return t.collection(t.context("subscriptions", nil), value, ""), nil
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	var body subscriptionBody
	if r.Method == http.MethodPatch {
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireSubscriptions()
	s := t.subs[strings.ToLower(r.path[1])]
	if s == nil || s.AppID != r.ClientID {
		return graphAnswer{}, &graphError{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "The object was not found."}
	}
	switch operation := r.Method + strings.Join(r.path[2:], "/"); operation {
	case "GET":
	case "PATCH":
		if err := t.renew(s, body); err != nil {
			return graphAnswer{}, err
		}
	case "POSTreauthorize":
		s.AuthorizedTo = time.Time{}
		t.saveSubscriptions()
		return graphAnswer{}, nil
	case "DELETE":
		t.unsubscribe(s)
		return graphAnswer{}, nil
	default:
		return graphAnswer{}, notAllowed(r.Method)
	}
	e := s.entity()
	e["@odata.context"] = t.context("subscriptions", nil) + "/$entity"
	return graphAnswer{Body: e}, nil
}

// subscribe checks the request, proves that the receiver wants it, and starts delivering.
func (t *Tenant) subscribe(r graphRequest) (graphAnswer, error) {
	var body subscriptionBody
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	expires, err := t.checkSubscription(r, body)
	if err != nil {
		return graphAnswer{}, err
	}
	for _, to := range []string{body.NotificationURL, body.LifecycleNotificationURL} {
		if to != "" {
			if err := t.validateReceiver(r.Context(), to); err != nil {
				return graphAnswer{}, err
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.checkQuota(r.ClientID); err != nil {
		return graphAnswer{}, err
	}
	app, _ := t.app(r.ClientID)
	s := &subscription{
		ID: newGUID(), AppID: r.ClientID, CreatorID: app.PrincipalID, Resource: body.Resource, ChangeType: body.ChangeType, URL: body.NotificationURL,
		LifecycleURL: body.LifecycleNotificationURL, ClientState: body.ClientState, TLS: body.LatestSupportedTLS, Expires: expires,
	}
	if s.TLS == "" {
		s.TLS = "v1_2"
	}
	t.subs[s.ID] = s
	t.start(s)
	t.saveSubscriptions()
	e := s.entity()
	e["@odata.context"] = t.context("subscriptions", nil) + "/$entity"
	return graphAnswer{Status: http.StatusCreated, Body: e}, nil
}

// checkQuota refuses one subscription too many. t.mu is held.
func (t *Tenant) checkQuota(app string) error {
	t.expireSubscriptions()
	own := 0
	for _, s := range t.subs {
		if s.AppID == app {
			own++
		}
	}
	if own < subscriptionsOfApp && len(t.subs) < subscriptionsOfTenant {
		return nil
	}
	limit := subscriptionsOfApp
	if own < limit {
		limit = subscriptionsOfTenant
	}
	return &graphError{Status: http.StatusForbidden, Code: "Forbidden", Message: fmt.Sprintf("The application has reached its limit of %d subscriptions.", limit)}
}

func invalidSubscription(format string, a ...any) error {
	return &graphError{Status: http.StatusBadRequest, Code: "ValidationError", Message: fmt.Sprintf(format, a...)}
}

func (t *Tenant) checkSubscription(r graphRequest, body subscriptionBody) (time.Time, error) {
	if body.IncludeResourceData {
		return time.Time{}, invalidSubscription("Subscription to resource with data is not supported for '%s'.", body.Resource)
	}
	for change := range strings.SplitSeq(body.ChangeType, ",") {
		if !slices.Contains([]string{"created", "updated", "deleted"}, strings.TrimSpace(change)) {
			return time.Time{}, invalidSubscription("The changeType '%s' is not valid.", body.ChangeType)
		}
	}
	for _, to := range []string{body.NotificationURL, body.LifecycleNotificationURL} {
		if u, err := url.Parse(to); err != nil || to != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return time.Time{}, invalidSubscription("The notification URL '%s' is not valid.", to)
		}
	}
	if body.NotificationURL == "" || body.Expiration == nil || len(body.ClientState) > 128 {
		return time.Time{}, invalidSubscription("notificationUrl and expirationDateTime are required, and clientState has at most 128 characters.")
	}
	// Graph wants exactly these permissions for these resources.
	switch strings.SplitN(resourcePath(body.Resource), "/", 2)[0] {
	case "users":
		if !r.may("User.Read.All") {
			return time.Time{}, forbidden()
		}
	case "groups":
		if !r.may("Group.Read.All") {
			return time.Time{}, forbidden()
		}
	default:
		return time.Time{}, invalidSubscription("The resource '%s' is not supported.", body.Resource)
	}
	return t.checkExpiry(*body.Expiration)
}

func resourcePath(resource string) string { return strings.ToLower(strings.Trim(resource, "/")) }

func (t *Tenant) checkExpiry(param string) (time.Time, error) {
	expires, err := time.Parse(time.RFC3339, param)
	switch now := t.now(); {
	case err != nil:
		return time.Time{}, invalidSubscription("The expirationDateTime '%s' is not a time.", param)
	case !expires.After(now):
		return time.Time{}, invalidSubscription("Subscription expiration must be in the future.")
	case expires.After(now.Add(longestSubscription + time.Minute)):
		return time.Time{}, invalidSubscription("Subscription expiration can only be 41760 minutes in the future.")
	}
	return expires, nil
}

// renew changes the expiry, which also reauthorizes. t.mu is held.
func (t *Tenant) renew(s *subscription, body subscriptionBody) error {
	if body.LifecycleNotificationURL != "" && body.LifecycleNotificationURL != s.LifecycleURL {
		return invalidSubscription("lifecycleNotificationUrl cannot be changed; create another subscription.")
	}
	if body.Expiration == nil {
		return invalidSubscription("expirationDateTime is required.")
	}
	expires, err := t.checkExpiry(*body.Expiration)
	if err != nil {
		return err
	}
	s.Expires, s.AuthorizedTo = expires, time.Time{}
	t.saveSubscriptions()
	return nil
}

func (s *subscription) entity() entity {
	return entity{
		"id": s.ID, "resource": s.Resource, "applicationId": s.AppID, "changeType": s.ChangeType, "clientState": s.ClientState,
		"notificationUrl": s.URL, "lifecycleNotificationUrl": orNull(s.LifecycleURL), "expirationDateTime": s.Expires.UTC().Format(time.RFC3339Nano),
		"creatorId": s.CreatorID, "latestSupportedTlsVersion": s.TLS, "notificationContentType": "application/json",
		"includeResourceData": nil, "encryptionCertificate": nil, "encryptionCertificateId": nil, "notificationQueryOptions": nil,
	}
}

// wants reports whether the subscription is for this change.
func (s *subscription) wants(e event) bool {
	if !slices.ContainsFunc(strings.Split(s.ChangeType, ","), func(c string) bool { return strings.TrimSpace(c) == e.ChangeType }) {
		return false
	}
	collection, id, narrowed := strings.Cut(resourcePath(s.Resource), "/")
	if collection != strings.ToLower(e.Collection) {
		return false
	}
	if !narrowed {
		return true
	}
	id, below, _ := strings.Cut(id, "/")
	return id == e.ID && (below != "members" || len(e.Members) > 0)
}

// expireSubscriptions ends those whose time is over. t.mu is held.
func (t *Tenant) expireSubscriptions() {
	for _, s := range t.subs {
		if !t.now().Before(s.Expires) {
			t.unsubscribe(s)
		}
	}
}

// unsubscribe ends a subscription and its goroutine. t.mu is held.
func (t *Tenant) unsubscribe(s *subscription) {
	delete(t.subs, s.ID)
	close(s.closed)
	t.saveSubscriptions()
}

func (t *Tenant) loadSubscriptions() error {
	if _, err := t.store.read("subscriptions.json", &t.subs); err != nil {
		return err
	}
	for _, s := range t.subs {
		t.start(s)
	}
	return nil
}

func (t *Tenant) writeSubscriptions() error { return t.store.write("subscriptions.json", t.subs) }

// saveSubscriptions writes the subscriptions; t.mu is held.
func (t *Tenant) saveSubscriptions() {
	if err := t.writeSubscriptions(); err != nil {
		t.log.Error("the tenant's subscriptions were not saved", "error", err)
	}
}
