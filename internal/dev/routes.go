package dev

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/web"
)

// routes are on the operator's socket beside the API: what a tour or a test needs to play with the sample world.
func (w *World) routes() []web.Route {
	const why = "only the socket's owner gets here, and it is the sample world"
	return []web.Route{
		{Method: "GET", Path: "/dev/v1/info", Access: web.Public(why), Serve: func(rw http.ResponseWriter, _ *http.Request) error {
			return web.WriteJSON(rw, http.StatusOK, w.Info)
		}},
		{Method: "POST", Path: "/dev/v1/throttle", Access: web.Public(why), Serve: func(rw http.ResponseWriter, r *http.Request) error {
			var body struct {
				BytesPerSecond int64 `json:"bytes_per_second"` // 0: as fast as it goes
			}
			if err := web.ReadJSON(r, &body); err != nil {
				return err
			}
			w.git.Throttle(body.BytesPerSecond)
			rw.WriteHeader(http.StatusNoContent)
			return nil
		}},
		{Method: "POST", Path: "/dev/v1/tenant", Access: web.Public(why), Serve: func(rw http.ResponseWriter, r *http.Request) error {
			var body struct {
				Offline bool `json:"offline"`
			}
			if err := web.ReadJSON(r, &body); err != nil {
				return err
			}
			w.Tenant.Offline(body.Offline)
			rw.WriteHeader(http.StatusNoContent)
			return nil
		}},
	}
}
