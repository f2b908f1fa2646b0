package broker

import (
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/agentproto"
)

// objection is the reason for which a request through the tunnel is refused.
type objection struct {
	status  int
	code    agentproto.AnswerCode
	message string
}

func (o *objection) answer(w http.ResponseWriter) { answer(w, o.status, o.code, o.message) }

// harmless are the methods that change nothing, and changing those that may. All others
// are refused: TRACE would return the agent's credentials to the client.
var (
	harmless = []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	changing = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
)

// overrides are headers by which some servers take a request for one of another
// method. EMQX does not; what may stand in front of it is not known.
var overrides = []string{"X-Http-Method", "X-Http-Method-Override", "X-Method-Override"}

// checkRequest refuses requests that neither handler passes on.
func checkRequest(r *http.Request) *objection {
	if why := checkTarget(r); why != "" {
		return &objection{http.StatusBadRequest, agentproto.AnswerBadRequest, why}
	}
	if !slices.Contains(harmless, r.Method) && !slices.Contains(changing, r.Method) {
		return &objection{http.StatusMethodNotAllowed, agentproto.AnswerBadMethod,
			"the agent passes on " + strings.Join(append(slices.Clone(harmless), changing...), ", ") +
				", and no other method"}
	}
	return nil
}

// checkAPI refuses requests that are not for the API: the credentials are for nothing else.
func checkAPI(r *http.Request) *objection {
	switch {
	case !isAPI(r.URL.EscapedPath()):
		return &objection{http.StatusNotFound, agentproto.AnswerNotFound,
			"only /status and what is below /api/v4 and /api/v5 is reached here"}
	case r.Header.Get("Upgrade") != "":
		return &objection{http.StatusBadRequest, agentproto.AnswerBadRequest,
			"the API of EMQX has no other protocols; leave the header Upgrade out"}
	}
	return nil
}

// checkUpgrade refuses upgrades to protocols whose requests the agent could not check.
func checkUpgrade(r *http.Request) *objection {
	all := r.Header.Values("Upgrade")
	if len(all) == 0 || len(all) == 1 && strings.EqualFold(all[0], "websocket") && r.Method == http.MethodGet {
		return nil
	}
	return &objection{http.StatusBadRequest, agentproto.AnswerBadRequest,
		"the protocol can be changed by GET, and to websocket only"}
}

// checkChanges objects to what may change something where that is not allowed. What
// is sent through a WebSocket cannot be told, so none is opened then.
func (a *Access) checkChanges(r *http.Request) *objection {
	if !a.settings.ReadOnly || !writes(r) {
		return nil
	}
	return &objection{http.StatusForbidden, agentproto.AnswerReadOnly, readOnly}
}

const readOnly = "the agent is read-only: whoever set it up lets nobody change anything through it; `emqxee-agent " +
	"register --read-only=false` on its host ends that"

// logins are the paths that people log in and out by, and ssoLogin stands before the
// name of what else people log in with.
var logins = []string{base4 + "/auth", base5 + "/login", base5 + "/logout", base5 + "/sso/saml/acs"}

const ssoLogin = base5 + "/sso/login/"

// writes reports whether a request may change something at EMQX.
func writes(r *http.Request) bool {
	path := r.URL.EscapedPath()
	switch {
	case slices.Contains(harmless, r.Method):
		return r.Header.Get("Upgrade") != ""
	case r.Method != http.MethodPost:
		return true
	}
	provider, sso := strings.CutPrefix(path, ssoLogin)
	return !slices.Contains(logins, path) && (!sso || provider == "" || strings.Contains(provider, "/"))
}
