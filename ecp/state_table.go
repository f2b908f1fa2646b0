package ecp

// HostedStates is the state machine of hosted clusters. Do not assign to it.
var HostedStates = StateMachine{rows: []stateRow{
	{
		state: Creating, label: Label{"创建中", "Creating"}, unsteady: true,
		meaning: "first objects and nodes come up",
		commands: commandMoves{
			CommandStart: holds, CommandStop: to(Stopping),
			CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Running, Abnormal, Nonexistent, Stopped},
	},
	{
		state: Updating, label: Label{"更新中", "Updating"}, unsteady: true,
		meaning: "a change is being rolled out",
		commands: commandMoves{
			CommandStart: holds, CommandStop: to(Stopping),
			CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Syncing, Abnormal, Degraded},
	},
	{
		state: Syncing, label: Label{"状态同步中", "Syncing"}, unsteady: true,
		meaning: "Kubernetes has converged, EMQX does not agree yet (members, version)",
		commands: commandMoves{
			CommandStart: holds, CommandStop: to(Stopping),
			CommandUpdate: to(Updating), CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Running, Abnormal, Updating, Degraded},
	},
	{
		state: Starting, label: Label{"启动中", "Starting"}, unsteady: true,
		meaning: "start was asked, nodes come up",
		commands: commandMoves{
			CommandStart: holds, CommandStop: to(Stopping),
			CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Running, Abnormal},
	},
	{
		state: Running, label: Label{"运行中", "Running"},
		meaning: "as asked for",
		commands: commandMoves{
			CommandStart: holds, CommandStop: to(Stopping), CommandRestart: to(Updating),
			CommandUpdate: to(Updating), CommandRepair: to(Updating),
			CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Degraded, Abnormal},
	},
	{
		state: Degraded, label: Label{"降级运行中", "Degraded"},
		meaning: "a node is unavailable outside a plan, at least one serves",
		commands: commandMoves{
			CommandStart: holds, CommandStop: to(Stopping), CommandRestart: to(Updating),
			CommandUpdate: to(Updating), CommandRepair: to(Updating),
			CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Running, Abnormal},
	},
	{
		state: Stopping, label: Label{"停止中", "Stopping"}, unsteady: true,
		meaning: "nodes go away: stop, or the first half of delete",
		commands: commandMoves{
			CommandStart: to(Starting), CommandStop: holds,
			CommandUpdate: stays, CommandTransfer: stays, CommandDelete: stays,
		},
		edges: []State{Stopped, Abnormal},
	},
	{
		state: Stopped, label: Label{"已停止", "Stopped"},
		meaning: "no node runs; what is on volumes is kept (configuration, users, rules), " +
			"sessions and retained messages in memory are not; a deleted cluster passes through",
		commands: commandMoves{
			CommandStart: to(Starting), CommandStop: holds,
			CommandUpdate: stays, CommandTransfer: stays, CommandDelete: stays,
		},
		edges: []State{Gone, Stopping, Abnormal},
	},
	{
		state: Abnormal, label: Label{"异常", "Abnormal"},
		meaning: "the last task failed, or nothing serves, or what is found contradicts itself",
		commands: commandMoves{
			CommandStart: to(Starting), CommandStop: to(Stopping), CommandRestart: to(Updating),
			CommandUpdate: to(Updating), CommandRepair: to(Updating),
			CommandTakeOver: to(Updating), CommandPutBack: to(Updating),
			CommandTransfer: stays, CommandDelete: to(Stopping),
		},
		edges: []State{Running, Degraded, Stopped},
	},
	{
		state: Nonexistent, label: Label{"不存在", "Nonexistent"},
		meaning:  "the create task was never dispatched",
		commands: commandMoves{CommandRepair: to(Creating), CommandTransfer: stays, CommandDelete: stays},
		edges:    []State{Gone},
	},
}}

// AdoptedStates is the state machine of adopted clusters. Do not assign to it.
var AdoptedStates = StateMachine{rows: []stateRow{
	{
		state: Created, label: Label{"已创建", "Created"},
		meaning:  "no agent has registered yet",
		commands: commandMoves{CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Deleting)},
		edges:    []State{Registering},
	},
	{
		state: Registering, label: Label{"注册中", "Registering"}, unsteady: true,
		meaning:  "an agent has registered, its first complete report is awaited",
		commands: commandMoves{CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Deleting)},
		edges:    []State{Running, Abnormal, Created},
	},
	{
		state: Running, label: Label{"运行中", "Running"},
		meaning:  "agents report and EMQX answers",
		commands: commandMoves{CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Deleting)},
		edges:    []State{Abnormal, Created},
	},
	{
		state: Abnormal, label: Label{"异常", "Abnormal"},
		meaning:  "an agent, or EMQX behind it, is not as it should be; the reason says which",
		commands: commandMoves{CommandUpdate: stays, CommandTransfer: stays, CommandDelete: to(Deleting)},
		edges:    []State{Running, Registering, Created, Deleting},
	},
	{
		state: Deleting, label: Label{"删除中", "Deleting"}, unsteady: true,
		meaning: "the broker gets its own connection limit back where one was set, agents are turned away, " +
			"the quota is given back",
		commands: commandMoves{CommandDelete: holds},
		edges:    []State{Gone, Abnormal},
	},
}}
