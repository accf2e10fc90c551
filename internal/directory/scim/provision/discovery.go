package provision

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// maxOperations bounds the requests of one bulk.
const maxOperations = 1000

// describes answers with what describes the service, which cannot be filtered (RFC 7644 §4).
func describes(of func() any) handler {
	return func(_ caller, w http.ResponseWriter, r *http.Request) error {
		if r.URL.Query().Has("filter") {
			return &scimError{status: http.StatusForbidden, detail: "What describes the service cannot be filtered."}
		}
		return answer(w, http.StatusOK, of())
	}
}

func (s *Service) provider() scim.ProviderConfig {
	return scim.ProviderConfig{Base: s.TenantURL(), MaxBulkOperations: maxOperations, MaxBulkPayload: maxBody, MaxResults: maxPage}
}

func (s *Service) providerConfig() any { return s.registry.ServiceProviderConfig(s.provider()) }

func listOf(all []scim.Resource) any { return scim.List{Total: len(all), Start: 1, Resources: all} }

// describedBy answers with the one of several that the path names.
func describedBy(all func() []scim.Resource) handler {
	return func(_ caller, w http.ResponseWriter, r *http.Request) error {
		for _, doc := range all() {
			if strings.EqualFold(doc.Text("id"), r.PathValue("id")) {
				return answer(w, http.StatusOK, doc)
			}
		}
		return &scimError{status: http.StatusNotFound, detail: "There is nothing of this id."}
	}
}
