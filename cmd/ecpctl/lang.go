package main

import (
	"github.com/openecp/openecp/ecp"
)

// phasesZH, kindsZH and reasonsZH are the words of the API that people read in tables. Programs
// get the words themselves, in every language.
var phasesZH = map[ecp.Phase]string{
	ecp.PhaseQueued: "排队中", ecp.PhaseRunning: "进行中", ecp.PhaseSucceeded: "成功", ecp.PhaseFailed: "失败",
	ecp.PhaseCancelled: "已取消", ecp.PhaseSuperseded: "已被取代",
}

var kindsZH = map[ecp.OperationKind]string{
	ecp.OpCreate: "创建", ecp.OpStart: "启动", ecp.OpStop: "停止", ecp.OpRestart: "重启", ecp.OpUpdate: "变更",
	ecp.OpRepair: "修复", ecp.OpTakeOver: "接管", ecp.OpPutBack: "还原", ecp.OpDelete: "删除",
}

var reasonsZH = map[ecp.Reason]string{
	ecp.ReasonAsExpected: "符合预期", ecp.ReasonInProgress: "操作进行中", ecp.ReasonByRequest: "按请求",
	ecp.ReasonNodeDown: "节点不可用", ecp.ReasonMachineLost: "主机失联", ecp.ReasonMachineCordoned: "主机已停止调度",
	ecp.ReasonVolumeLost:    "存储卷所在主机已移除",
	ecp.ReasonMemberMissing: "集群成员缺失", ecp.ReasonNothingServes: "没有节点提供服务",
	ecp.ReasonPartitioned: "集群分裂", ecp.ReasonForeignOwner: "命名空间属于他人", ecp.ReasonDataLost: "数据丢失",
	ecp.ReasonRecordOlder: "记录较旧", ecp.ReasonSecretLost: "密钥丢失", ecp.ReasonCreateFailed: "创建失败",
	ecp.ReasonStartFailed: "启动失败", ecp.ReasonUpdateFailed: "变更失败", ecp.ReasonSyncFailed: "状态同步失败",
	ecp.ReasonStopFailed: "停止失败", ecp.ReasonDeleteFailed: "删除失败", ecp.ReasonNotDispatched: "创建任务未下发",
	ecp.ReasonScaledByHand: "节点被手动拉起", ecp.ReasonUnseen: "无法观测", ecp.ReasonNoAnswer: "管理 API 无应答",
	ecp.ReasonNotAsked: "尚未查询", ecp.ReasonPoweredOff: "已按请求停止", ecp.ReasonRendererNewer: "对象模板有新版本",
	ecp.ReasonAddressPending: "等待负载均衡地址", ecp.ReasonVolumePending: "等待存储卷扩容",
	ecp.ReasonContested: "对象被反复改回", ecp.ReasonTemplateChanged: "节点模板已变化",
	ecp.ReasonMQTTUnanswered: "MQTT 无应答", ecp.ReasonSettingsDiffer: "配置与期望不同",
	ecp.ReasonSettingsLinger: "残留旧配置", ecp.ReasonCertificateExpired: "证书已过期",
	ecp.ReasonCertificateExpires: "证书即将过期", ecp.ReasonCertificateOutdated: "节点证书未更新",
	ecp.ReasonDeleted: "已删除", ecp.ReasonPoolFull: "连接数配额已满", ecp.ReasonIdentityConflict: "Agent 身份冲突",
	ecp.ReasonClusterMismatch: "不是同一个集群", ecp.ReasonUnsupportedVersion: "版本不支持",
	ecp.ReasonAgentDisconnected: "Agent 已断开", ecp.ReasonEMQXAuthFailed: "EMQX 认证失败",
	ecp.ReasonEMQXUnreachable: "EMQX 无法访问", ecp.ReasonReportStale: "上报数据已过时",
	ecp.ReasonQuotaReleaseFailed: "配额释放失败", ecp.ReasonNoAgentAddress: "未配置 Agent 接入地址",
	ecp.ReasonLimitDiffers: "连接数限制与期望不同", ecp.ReasonForeignMember: "有外来成员", ecp.ReasonRefused: "平台拒绝",
}

// inChinese shows a word by its name in Chinese, where people ask for that and it has one.
func inChinese[W ~string](names map[W]string) func(*app, object, string) string {
	return func(a *app, o object, path string) string {
		text := o.text(path)
		if name := names[W(text)]; name != "" && a.flags.lang == chinese {
			return name
		}
		return text
	}
}

var (
	phase  = inChinese(phasesZH)
	opKind = inChinese(kindsZH)
	reason = inChinese(reasonsZH)
)

// eventState shows the state of a cluster, or the phase of an operation, after an event.
func eventState(a *app, o object, path string) string {
	if label := o.text("object.status.label.zh"); label != "" && a.flags.lang == chinese {
		return label
	}
	return phase(a, o, path)
}

// stateName is what a person calls a state. The label of one that both modes have is the same
// in both, but for those of adopted clusters alone.
func (a *app) stateName(s ecp.State) string {
	if a.flags.lang != chinese {
		return string(s)
	}
	for _, m := range []ecp.StateMachine{ecp.HostedStates, ecp.AdoptedStates} {
		if name := m.Label(s).ZH; name != string(s) {
			return name
		}
	}
	return string(s)
}

// named is what a person calls one of some words.
func named[W ~string](a *app, names map[W]string, word W) string {
	if name := names[word]; name != "" && a.flags.lang == chinese {
		return name
	}
	return string(word)
}
