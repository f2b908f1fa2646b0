package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
)

// AgentSetup is what the guide for setting up an agent needs to know.
type AgentSetup struct {
	// URL is the address that agents dial. If it is empty, agents cannot be set up.
	URL string
	// CASHA256 returns the SHA-256, in hex, of the certificate authority of that
	// address. It is nil, or returns an empty text, if a public authority signed it.
	CASHA256 func() string
	// Checksums returns the SHA-256, in hex, of the agents' programs that are served, by
	// architecture. It is nil if none are served.
	Checksums func() map[string]string
}

// agentRoutes are about the agents of adopted clusters.
func (a *api) agentRoutes() {
	a.json(route{
		method: http.MethodPost, path: clusterPath + "/setup", id: "setupCluster",
		summary: "Make a registration token, and the guide to an agent that uses it",
		description: "The token is in the commands, and is shown this once. Agents of several nodes may use it " +
			"until it expires or is revoked.",
		body: schemaOf[setupBody], success: returns[setupView](http.StatusCreated),
		refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeUnsupported},
	}, decoded(a.setupCluster))
	a.json(route{
		method: http.MethodGet, path: clusterPath + "/registrations", id: "listRegistrations",
		summary: "List a cluster's registration tokens, the newest first",
		success: returns[page[registrationView]](http.StatusOK), refuses: []ecp.Code{ecp.CodeUnsupported},
	}, a.listRegistrations)
	a.json(route{
		method: http.MethodDelete, path: clusterPath + "/registrations/{token}", id: "deleteRegistration",
		summary: "Revoke a registration token; agents that have used it stay",
		success: noContent(), refuses: []ecp.Code{ecp.CodeUnsupported},
	}, func(ctx context.Context, r *http.Request, _ body) (success, error) {
		c, p := a.cluster(r)
		if p != nil {
			return success{}, p
		}
		err := a.manager.Agents.RevokeRegistration(ctx, c.ID(), r.PathValue("token"))
		return success{status: http.StatusNoContent}, err
	})
	a.json(route{
		method: http.MethodGet, path: clusterPath + "/agents", id: "listAgents",
		summary: "List a cluster's agents, as last heard",
		success: returns[page[agentView]](http.StatusOK), refuses: []ecp.Code{ecp.CodeUnsupported},
	}, a.listAgents)
	a.json(route{
		method: http.MethodDelete, path: clusterPath + "/agents/{agent}", id: "removeAgent",
		summary: "Remove an agent: its key is forgotten and its connection closed",
		description: "It comes back with a registration token only. Where it was the last one, the cluster is " +
			"created again.",
		success: noContent(), refuses: []ecp.Code{ecp.CodeUnsupported},
	}, func(ctx context.Context, r *http.Request, _ body) (success, error) {
		c, p := a.cluster(r)
		if p != nil {
			return success{}, p
		}
		return success{status: http.StatusNoContent},
			a.manager.Agents.Remove(ctx, c.ID(), ecp.AgentID(r.PathValue("agent")))
	})
}

// setupBody says what the guide is to be for.
type setupBody struct {
	Method adopt.Method `json:"method" required:"false" enum:"binary,container,kubernetes" doc:"a program on the host of a node, the same inside EMQX's own container, or a pod of its own; binary when left out"`
	Arch   string       `json:"arch" required:"false" enum:"amd64,arm,arm64" doc:"of the host; amd64 when left out, and not looked at for kubernetes"`
	Life   string       `json:"life" required:"false" pattern:"^([0-9]+(h|m|s))+$" doc:"how long the token is good for, e.g. 90m; 1m to 720h, 24h when left out"`
}

// setupView is a guide with its token.
type setupView struct {
	Token     string          `json:"token,omitempty" doc:"the registration token: shown when it is made, and never again"`
	TokenID   string          `json:"tokenId" doc:"for revoking it"`
	ExpiresAt time.Time       `json:"expiresAt"`
	URL       string          `json:"url" doc:"that agents dial"`
	CASHA256  string          `json:"caSha256,omitempty" doc:"SHA-256 of the certificate authority of that address; left out where public ones vouch for it"`
	Method    adopt.Method    `json:"method"`
	Arch      string          `json:"arch,omitempty" doc:"left out for kubernetes: the pod takes what its host needs"`
	Steps     []guideStepView `json:"steps" doc:"empty where the token is not shown"`
	Manifest  string          `json:"manifest,omitempty" doc:"the file of the steps, in YAML; for kubernetes only"`
}

type guideStepView struct {
	Number  int       `json:"number"`
	Title   ecp.Label `json:"title"`
	Text    ecp.Label `json:"text"`
	Command string    `json:"command" doc:"to be pasted into a shell as it is"`
}

// setupCluster checks everything that it can before it makes the token: a token
// that nobody learns is of no use.
func (a *api) setupCluster(ctx context.Context, r *http.Request, b setupBody) (success, error) {
	life, p := lifeOf(b.Life)
	if p != nil {
		return success{}, p
	}
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	ask := a.guideFor(c.ID(), b)
	if err := a.checkSetup(ctx, ask); err != nil {
		return success{}, err
	}
	token, secret, err := a.manager.Agents.CreateRegistration(ctx, c.ID(), life)
	if err != nil {
		return success{}, err
	}
	out := setupView{
		Token: string(secret), TokenID: token.ID, ExpiresAt: token.ExpiresAt, URL: ask.URL, CASHA256: ask.CASHA256,
		Method: ask.Method, Arch: ask.Arch, Steps: []guideStepView{},
	}
	if secret == "" { // an answer that is given again
		return success{status: http.StatusCreated, body: out}, nil
	}
	ask.Token, ask.ExpiresAt = secret, token.ExpiresAt
	guide, err := adopt.NewGuide(ask)
	if err != nil {
		return success{}, err
	}
	out.Method, out.Arch, out.Manifest = guide.Method, guide.Arch, guide.Manifest
	for _, s := range guide.Steps {
		out.Steps = append(out.Steps, guideStepView{s.Number, s.Title, s.Text, s.Command})
	}
	return success{status: http.StatusCreated, body: out}, nil
}

// guideFor is the request for a guide, without the token.
func (a *api) guideFor(id ecp.ID, b setupBody) adopt.GuideRequest {
	ask := adopt.GuideRequest{URL: a.agents.URL, Method: b.Method, Arch: b.Arch, Cluster: id}
	if a.agents.CASHA256 != nil {
		ask.CASHA256 = a.agents.CASHA256()
	}
	if a.agents.Checksums != nil {
		ask.Checksums = a.agents.Checksums()
	}
	return ask
}

// checkSetup returns why no guide can be made. It checks first that the actor may ask
// for one.
func (a *api) checkSetup(ctx context.Context, ask adopt.GuideRequest) error {
	if _, err := a.manager.Agents.Registrations(ctx, ask.Cluster); err != nil {
		return err
	}
	if ask.URL == "" {
		return newProblem(ecp.CodeConflict, "this server does not know under which address agents reach it; whoever "+
			"runs it sets cluster.agent (--cluster-agent https://HOST:PORT)")
	}
	ask.Token = "only tried"
	_, err := adopt.NewGuide(ask)
	return err
}

// lifeOf reads how long a token is valid; 0 means the default.
func lifeOf(text string) (time.Duration, *problemView) {
	if text == "" {
		return 0, nil
	}
	life, err := time.ParseDuration(text)
	if err != nil || life <= 0 {
		return 0, newProblem(ecp.CodeInvalid, "the token's life is not valid",
			fieldView{"/life", "is not a time such as 90m or 24h"})
	}
	return life, nil
}

// registrationView is a registration token without its secret.
type registrationView struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt"`
	RevokedAt time.Time `json:"revokedAt,omitzero" doc:"left out where it was not revoked"`
	Uses      int       `json:"uses" doc:"registrations so far"`
}

func viewRegistration(t ecp.RegistrationToken) registrationView {
	return registrationView{t.ID, t.CreatedAt, t.CreatedBy, t.ExpiresAt, t.RevokedAt, t.Uses}
}

func (a *api) listRegistrations(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	all, err := a.manager.Agents.Registrations(ctx, c.ID())
	return success{status: http.StatusOK, body: page[registrationView]{Items: convert(all, viewRegistration)}}, err
}

// agentView is an agent of an adopted cluster.
type agentView struct {
	ID           ecp.AgentID      `json:"id"`
	Node         string           `json:"node,omitempty" doc:"EMQX node beside it; left out where that is not known"`
	Version      string           `json:"version,omitempty" doc:"of the agent"`
	OS           string           `json:"os,omitempty"`
	Arch         string           `json:"arch,omitempty"`
	Hostname     string           `json:"hostname,omitempty"`
	RegisteredAt time.Time        `json:"registeredAt" doc:"the last time"`
	Connected    bool             `json:"connected"`
	Since        time.Time        `json:"since,omitzero" doc:"since when it is connected, or is not; left out where it was not heard since the server's start"`
	LastSeen     time.Time        `json:"lastSeen,omitzero" doc:"when it was last heard"`
	Carrier      string           `json:"carrier,omitempty" doc:"direct or websocket; while connected"`
	Remote       string           `json:"remote,omitempty" doc:"address it came from; while connected"`
	ClockSkew    int              `json:"clockSkewSeconds" doc:"how much its clock is ahead of the server's; it harms nothing"`
	Reason       ecp.Reason       `json:"reason,omitempty" doc:"word from a fixed list; left out where nothing is wrong"`
	Message      string           `json:"message,omitempty" doc:"the same for people"`
	Errors       []agentErrorView `json:"errors" doc:"what went wrong at its broker, as last reported"`
}

// agentErrorView is one thing that went wrong at an agent.
type agentErrorView struct {
	Stage   string `json:"stage" doc:"what it was doing"`
	Code    string `json:"code"`
	Message string `json:"message" doc:"for people"`
}

func viewAgent(i ecp.AgentInfo) agentView {
	v := agentView{
		ID: i.ID, Node: i.Node, Version: i.Version, OS: i.OS, Arch: i.Arch, Hostname: i.Hostname,
		RegisteredAt: i.RegisteredAt,
		Connected:    i.Seen.Connected, Since: i.Seen.Since, LastSeen: i.LastSeen, Reason: i.Reason, Message: i.Message,
		Errors: []agentErrorView{},
	}
	if i.Seen.LastSeen.After(v.LastSeen) {
		v.LastSeen = i.Seen.LastSeen
	}
	if i.Seen.Connected {
		v.Carrier, v.Remote = i.Seen.Carrier, i.Seen.Remote
		v.ClockSkew = int(i.Seen.ClockSkew.Round(time.Second) / time.Second)
		if i.Seen.Report != nil {
			for _, e := range i.Seen.Report.Errors {
				v.Errors = append(v.Errors, agentErrorView{e.Stage, e.Code, e.Message})
			}
		}
	}
	return v
}

func (a *api) listAgents(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	all, err := a.manager.Agents.List(ctx, c.ID())
	return success{status: http.StatusOK, body: page[agentView]{Items: convert(all, viewAgent)}}, err
}
