package emqxhttp

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// evacuationPhases maps the states of evacuations to phases. Those of rebalances, some of
// which have another spelling, are read, too. Evacuations of EMQX 4 before 4.4.24 do not wait
// for health checks.
var evacuationPhases = map[string]ecp.EvacuationPhase{
	"waiting_health_check": ecp.EvacuationWaiting,
	"wait_health_check":    ecp.EvacuationWaiting,
	"evicting_conns":       ecp.EvacuationCutting,
	"waiting_takeover":     ecp.EvacuationTakeover,
	"wait_takeover":        ecp.EvacuationTakeover,
	"evicting_sessions":    ecp.EvacuationMoving,
	"prohibiting":          ecp.EvacuationProhibited,
}

// exactCount is a count that may be missing. A missing one never counts as 0, since a caller
// would then stop the node with its clients.
type exactCount struct {
	Count
	known bool
}

// UnmarshalJSON never fails.
func (c *exactCount) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(strings.Trim(string(b), `"`), 10, 31)
	c.Count, c.known = Count(n), err == nil
	return nil
}

// DecodeEvacuations reads load_rebalance/global_status, which is the same for both majors. It
// returns the evacuations by node.
func DecodeEvacuations(body []byte) (map[string]ecp.EvacuationProgress, error) {
	var status struct {
		Evacuations *[]struct {
			Node  string  `json:"node"`
			State Message `json:"state"`
			Stats struct {
				InitialConnections Count      `json:"initial_connected"`
				Connections        exactCount `json:"current_connected"`
				InitialSessions    Count      `json:"initial_sessions"`
				Sessions           exactCount `json:"current_sessions"`
			} `json:"stats"`
		} `json:"evacuations"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, err
	}
	if status.Evacuations == nil {
		return nil, errors.New("it has no list of evacuations")
	}
	all := map[string]ecp.EvacuationProgress{}
	for _, e := range *status.Evacuations {
		if e.Node == "" {
			return nil, errors.New("an evacuation has no node")
		}
		phase, ok := evacuationPhases[string(e.State)]
		if !ok {
			phase = ecp.EvacuationOther
		}
		if phase == ecp.EvacuationProhibited && (!e.Stats.Connections.known || !e.Stats.Sessions.known) {
			return nil, errors.New("it does not say how many clients and sessions are left")
		}
		all[e.Node] = ecp.EvacuationProgress{
			Phase:              phase,
			InitialConnections: e.Stats.InitialConnections.Int(), Connections: e.Stats.Connections.Int(),
			InitialSessions: e.Stats.InitialSessions.Int(), Sessions: e.Stats.Sessions.Int(),
		}
	}
	return all, nil
}
