package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

func (a *api) eventRoutes() {
	a.stream(route{
		method: http.MethodGet, path: "/api/v1/events", id: "watchEvents",
		summary: "Follow every change you may read, as server-sent events", description: eventsText, unbounded: true,
		parameters: []*huma.Param{
			query("since", "id of the last event that was seen; from now on when left out", text()),
			query("project", "only changes in org/project", text()),
			{In: "header", Name: "Last-Event-ID", Description: "the same as since, and stronger", Schema: text()},
		},
		success: []answer{{status: http.StatusOK, content: map[string]schema{eventStream: schemaOf[eventView]}}},
		refuses: []ecp.Code{ecp.CodeGone, ecp.CodeThrottled},
	}, a.watchEvents)
}

const eventsText = "" +
	"The event's id is the number of the change, its name the kind of record, its data an Event. A stream\n" +
	"begins with an id, so that it can be resumed before the first event: with Last-Event-ID (browsers send it by " +
	"themselves)\n" +
	"or since. A position that is older than what is kept is answered with 410: list again, then follow from now.\n" +
	"An event named problem, with a Problem as its data, ends a stream: the process ends, the token is not valid " +
	"any more, or\n" +
	"what its holder may see has changed. Between events there is a comment every 15 seconds.\n\n" +
	"One user or token can have a number of streams open, and all together another; who wants more gets 429. A " +
	"client\n" +
	"that does not take what is sent for 15 seconds is cut off: it comes back with the last id it has seen."

// eventView is the data of one event.
type eventView struct {
	Seq     int64     `json:"seq" doc:"number of the change; grows"`
	At      time.Time `json:"at"`
	Kind    ecp.Kind  `json:"kind" doc:"cluster, operation, agent (of an adopted cluster: registered, removed, or another in what is stored of it), tombstone, departure (a cluster has left the project), org, project, quota, or one of the catalogues"`
	Key     string    `json:"key" doc:"id or name of the record"`
	Project string    `json:"project" doc:"empty for what belongs to none"`
	Parent  string    `json:"parent" doc:"the cluster of an operation or agent"`
	State   string    `json:"state" doc:"state of a cluster, phase of an operation, gone for a tombstone"`
	Deleted bool      `json:"deleted" doc:"the record has gone; object is how it was last"`
	Object  any       `json:"object" doc:"the record; a cluster without what only a look at it shows (nodes, connections, endpoints)"`
}

// clusterEvent is a cluster as it is stored: a Cluster with fewer fields.
type clusterEvent struct {
	ID          ecp.ID      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Project     string      `json:"project"`
	Mode        ecp.Mode    `json:"mode"`
	Version     string      `json:"version"`
	Spec        specView    `json:"spec"`
	Status      statusEvent `json:"status"`
	Generation  int64       `json:"generation"`
	Revision    int64       `json:"revision"`
	Creator     string      `json:"creator"`
	CreatorUser string      `json:"creatorUser,omitempty"`
	CreatedAt   time.Time   `json:"createdAt"`
	UpdatedAt   time.Time   `json:"updatedAt"`
}

type statusEvent struct {
	State      ecp.State       `json:"state"`
	Label      ecp.Label       `json:"label"`
	Reason     ecp.Reason      `json:"reason"`
	Message    string          `json:"message"`
	Stale      bool            `json:"stale"`
	StaleSince time.Time       `json:"staleSince,omitzero"`
	Since      time.Time       `json:"since"`
	Conditions []ecp.Condition `json:"conditions"`
	Operation  ecp.OperationID `json:"operation"`
}

// viewEvent returns a change as the API shows it. It returns false for a kind that is not
// named here, and for a cluster that looks as it did before: they are not shown.
func viewEvent(c ecp.Change) (eventView, bool) {
	v := eventView{
		Seq: c.Seq, At: c.At, Kind: c.Kind, Key: c.Key, Deleted: c.Deleted,
		Project: c.Index.Project, Parent: c.Index.Parent, State: c.Index.State,
	}
	switch p := c.Payload.(type) {
	case ecp.ClusterRecord:
		if p.Quiet() && !c.Deleted {
			return v, false
		}
		v.Object = viewRecord(p)
	case ecp.Operation:
		v.Object = viewOperation(p)
	case ecp.AgentRecord:
		v.Object = viewAgentRecord(p)
	case ecp.Tombstone, ecp.TransferNotice, ecp.Org, ecp.Project, ecp.Image, ecp.Size, ecp.Pool, ecp.Quota,
		ecp.LBProfile,
		ecp.Target, ecp.Registry, ecp.License, ecp.Certificate:
		v.Object = p
	default:
		return v, false
	}
	return v, true
}

// agentEvent is an agent as it is stored: an Agent without what its connection shows.
type agentEvent struct {
	ID           ecp.AgentID `json:"id"`
	Node         string      `json:"node,omitempty"`
	Version      string      `json:"version,omitempty"`
	OS           string      `json:"os,omitempty"`
	Arch         string      `json:"arch,omitempty"`
	Hostname     string      `json:"hostname,omitempty"`
	RegisteredAt time.Time   `json:"registeredAt"`
	LastSeen     time.Time   `json:"lastSeen,omitzero"`
}

func viewAgentRecord(a ecp.AgentRecord) agentEvent {
	return agentEvent{a.ID, a.Node, a.Version, a.OS, a.Arch, a.Hostname, a.RegisteredAt, a.LastSeen}
}

func viewRecord(r ecp.ClusterRecord) clusterEvent {
	st := r.Status
	return clusterEvent{
		ID: r.ID, Name: r.Name, Description: r.Description, Project: r.Project, Mode: r.Mode, Version: r.EMQXVersion(),
		Spec: specView(r.Spec.Redacted()), Generation: r.Generation, Revision: r.Revision, Creator: r.Creator,
		CreatorUser: r.CreatorUser, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		Status: statusEvent{
			State: st.State, Label: r.StateMachine().Label(st.State), Reason: st.Reason, Message: st.Message,
			Stale: !st.StaleFrom.IsZero(), StaleSince: st.StaleFrom, Since: st.Since, Conditions: list(st.Conditions),
			Operation: st.Operation,
		},
	}
}

// subscription is what a client asked to follow.
type subscription struct {
	after   int64
	resumed bool // at a position of the client's
	project string
}

func (a *api) subscription(r *http.Request) (subscription, *problemView) {
	now, err := a.manager.Position(r.Context())
	if err != nil {
		return subscription{}, a.failed(r.Context(), err)
	}
	s := subscription{after: now, project: r.URL.Query().Get("project")}
	if why := ecp.ValidateProject(s.project); s.project != "" && why != "" {
		return s, newProblem(ecp.CodeInvalid, "a parameter is not valid", fieldView{"/query/project", why})
	}
	at, text := "/header/Last-Event-ID", r.Header.Get("Last-Event-ID")
	if text == "" {
		at, text = "/query/since", r.URL.Query().Get("since")
	}
	if text == "" {
		return s, nil
	}
	s.resumed = true
	s.after, err = strconv.ParseInt(text, 10, 64)
	if err != nil || s.after < 0 {
		return s, newProblem(ecp.CodeInvalid, "a parameter is not valid", fieldView{at, "is not the id of an event"})
	}
	if s.after > now {
		return s, newProblem(ecp.CodeGone, "the position lies ahead of everything that has happened here, as after a "+
			"restored backup; list again, then follow from now")
	}
	return s, nil
}

// watchEvents streams changes until the client goes or the process shuts down.
func (a *api) watchEvents(w http.ResponseWriter, r *http.Request) {
	sub, p := a.subscription(r)
	if p != nil {
		p.write(w)
		return
	}
	leave, p := a.admitStream(r)
	if p != nil {
		p.write(w)
		return
	}
	defer leave()
	ctx, cancel := a.untilDone(r.Context())
	defer cancel()
	changes, wait := produce(ctx, a.manager.Watch(ctx, sub.after))
	defer wait()
	defer cancel()

	// If the store refuses a position, it does so at once. Wait for that, because the
	// status cannot be changed after the stream has begun.
	var first *item[ecp.Change]
	if sub.resumed {
		grace := time.NewTimer(a.grace)
		defer grace.Stop()
		select {
		case c := <-changes:
			if c.err != nil && ctx.Err() == nil {
				a.failed(r.Context(), c.err).write(w)
				return
			}
			first = &c
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	s := a.begin(w, r, fmt.Sprintf("id: %d\n", sub.after), "follow on from the last id you have seen")
	defer s.finish()
	if r.Method == http.MethodHead || s.err != nil {
		return
	}
	if first != nil {
		a.send(ctx, s, sub, *first)
	}
	forward(ctx, a, s, r, changes, func(c item[ecp.Change]) { a.send(ctx, s, sub, c) })
}

func (a *api) send(ctx context.Context, s *stream, sub subscription, c item[ecp.Change]) {
	if errors.Is(c.err, ecp.ErrDenied) && ctx.Err() == nil { // the token is not valid any more
		s.event("", "problem", a.failed(ctx, c.err).as(http.StatusUnauthorized))
		s.stop()
		return
	}
	if c.err != nil {
		a.fail(ctx, s, c.err)
		return
	}
	if sub.project != "" && c.value.Index.Project != sub.project {
		return
	}
	text, err := a.events.of(ctx, c.value)
	switch {
	case err != nil:
		a.fail(ctx, s, err)
	case text != nil:
		s.write(text)
	}
}
