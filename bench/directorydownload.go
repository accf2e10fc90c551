package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
)

// plainPage is a delta page, decoded and no more.
type plainPage struct {
	Value []struct {
		ID                string    `json:"id"`
		DisplayName       string    `json:"displayName"`
		UserPrincipalName string    `json:"userPrincipalName"`
		Mail              string    `json:"mail"`
		AccountEnabled    bool      `json:"accountEnabled"`
		SignInsFrom       time.Time `json:"signInSessionsValidFromDateTime"`
		SecurityEnabled   bool      `json:"securityEnabled"`
		Members           []struct {
			ID   string `json:"id"`
			Type string `json:"@odata.type"`
		} `json:"members@delta"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

// download reads the same pages as the first reading, one after the other, decodes them and forgets them.
func (r *readerRole) download(ctx context.Context, t directoryTenant) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: server.Dial}}
	defer client.CloseIdleConnections()
	resp, err := client.PostForm(t.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {entrasim.LanyardAppID},
		"client_secret": {t.Secret}, "scope": {"https://graph.microsoft.com/.default"}})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.Access == "" {
		return 0, fmt.Errorf("no token: %s %w", resp.Status, err)
	}
	began := time.Now()
	for _, link := range []string{
		"/groups/delta?$select=id,displayName,securityEnabled,groupTypes,members",
		"/users/delta?$select=id,displayName,userPrincipalName,mail,accountEnabled,signInSessionsValidFromDateTime",
	} {
		for link = t.Graph + link; link != ""; {
			var page plainPage
			if err := onePage(ctx, client, link, token.Access, &page); err != nil {
				return 0, err
			}
			link = page.Next
		}
	}
	return time.Since(began), nil
}

func onePage(ctx context.Context, client *http.Client, link, token string, page *plainPage) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Prefer", "odata.maxpagesize=999")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the tenant answered %s", resp.Status)
	}
	return json.Unmarshal(body.Bytes(), page)
}
