package entra

import "time"

// The JSON of Microsoft Graph v1.0, as far as it is read here.

// assignmentPage is a page of appRoleAssignedTo.
type assignmentPage struct {
	Value []struct {
		PrincipalID   string `json:"principalId"`
		PrincipalType string `json:"principalType"`
		AppRoleID     string `json:"appRoleId"`
	} `json:"value"`
	NextLink string `json:"@odata.nextLink"`
}

// servicePrincipal is what is read of our enterprise application.
type servicePrincipal struct {
	ID       string `json:"id"`
	AppRoles []struct {
		ID        string `json:"id"`
		Value     string `json:"value"` // null for a role that no token carries
		IsEnabled bool   `json:"isEnabled"`
	} `json:"appRoles"`
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
