package entra

import (
	"encoding/json"
	"time"
)

// The JSON of Microsoft Graph v1.0, as far as it is read here.

// deltaPage is one page of users/delta or groups/delta. Exactly one of the two links is set.
type deltaPage struct {
	Value     []deltaItem `json:"value"`
	NextLink  string      `json:"@odata.nextLink"`
	DeltaLink string      `json:"@odata.deltaLink"`
}

// deltaItem is a user or a group. What Graph does not mention stays as it was.
type deltaItem struct {
	ID                string        `json:"id"`
	DisplayName       field[string] `json:"displayName"`
	UserPrincipalName field[string] `json:"userPrincipalName"`
	Mail              field[string] `json:"mail"`
	AccountEnabled    field[bool]   `json:"accountEnabled"`
	SecurityEnabled   field[bool]   `json:"securityEnabled"`
	Members           []memberItem  `json:"members@delta"`
	Removed           *removed      `json:"@removed"`
}

type memberItem struct {
	Type    string   `json:"@odata.type"`
	ID      string   `json:"id"`
	Removed *removed `json:"@removed"`
}

// removed has the reason "changed" for what can be restored (soft-deleted) and "deleted" for what is gone for good.
type removed struct {
	Reason string `json:"reason"`
}

// field tells a property that is absent from one that is null, which is the zero value.
type field[T any] struct {
	set   bool
	value T
}

func (f *field[T]) UnmarshalJSON(b []byte) error {
	f.set = true
	return json.Unmarshal(b, &f.value)
}

// into sets v if the property was mentioned.
func (f field[T]) into(v *T) {
	if f.set {
		*v = f.value
	}
}

// assignmentPage is a page of appRoleAssignedTo.
type assignmentPage struct {
	Value []struct {
		PrincipalID   string `json:"principalId"`
		PrincipalType string `json:"principalType"`
	} `json:"value"`
	NextLink string `json:"@odata.nextLink"`
}

type subscription struct {
	ID                 string    `json:"id,omitempty"`
	ChangeType         string    `json:"changeType,omitempty"`
	NotificationURL    string    `json:"notificationUrl,omitempty"`
	LifecycleURL       string    `json:"lifecycleNotificationUrl,omitempty"`
	Resource           string    `json:"resource,omitempty"`
	ExpirationDateTime time.Time `json:"expirationDateTime"`
	ClientState        string    `json:"clientState,omitempty"`
}

// notification is one of those that Graph posts to a notification URL as `value`; those of several subscriptions may
// come together.
type notification struct {
	SubscriptionID string `json:"subscriptionId"`
	ClientState    string `json:"clientState"`
	LifecycleEvent string `json:"lifecycleEvent"`
}

type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}
