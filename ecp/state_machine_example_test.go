package ecp_test

import (
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// A StateMachine needs nothing else: a cluster is created, runs, is stopped and
// deleted.
func ExampleStateMachine() {
	m := ecp.HostedStates
	state := m.States()[0]
	show := func(why string) {
		label := m.Label(state)
		fmt.Printf("%s: %s %s, %s\n", why, label.ZH, label.EN, m.Meaning(state))
	}
	show("create")
	for _, state = range m.Route(state, ecp.Running) {
		show("observed")
	}
	for _, command := range []ecp.CommandKind{ecp.CommandStop, ecp.CommandDelete} {
		next, verdict := m.Next(state, command)
		if state = next; verdict == ecp.Moves {
			show(string(command))
		}
	}
	m = m.WhileDeleting()
	_, verdict := m.Next(state, ecp.CommandStart)
	fmt.Println("start is", verdict, "while the cluster is deleted; legal:", m.Legal(state))
	for _, state = range m.Route(state, ecp.Gone) {
		fmt.Println("observed:", m.Label(state).EN)
	}
	// Output:
	// create: 创建中 Creating, first objects and nodes come up
	// observed: 运行中 Running, as asked for
	// stop: 停止中 Stopping, nodes go away: stop, or the first half of delete
	// start is illegal while the cluster is deleted; legal: [delete]
	// observed: Stopped
	// observed: Deleted
}

func ExampleStateMachine_Next() {
	for _, command := range []ecp.CommandKind{ecp.CommandStop, ecp.CommandUpdate, ecp.CommandStart, ecp.CommandRepair} {
		next, verdict := ecp.HostedStates.Next(ecp.Starting, command)
		fmt.Println(command, verdict, next)
	}
	// Output:
	// stop moves stopping
	// update stays starting
	// start holds starting
	// repair illegal starting
}

func ExampleStateMachine_Legal() {
	fmt.Println(ecp.HostedStates.Legal(ecp.Stopped))
	fmt.Println(ecp.HostedStates.WhileDeleting().Legal(ecp.Stopped))
	fmt.Println(ecp.AdoptedStates.Legal(ecp.Running))
	// Output:
	// [start stop update transfer delete]
	// [delete]
	// [update transfer delete]
}

// What is observed leads from one state to another along edges, one at a time.
func ExampleStateMachine_Route() {
	fmt.Println(ecp.HostedStates.Edges(ecp.Updating))
	fmt.Println(ecp.HostedStates.Route(ecp.Updating, ecp.Running))
	fmt.Println(ecp.AdoptedStates.Route(ecp.Registering, ecp.Gone))
	// Output:
	// [syncing abnormal degraded]
	// [syncing running]
	// [abnormal deleting gone]
}
