package main

import (
	"context"
	"fmt"
)

// headsZH are the heads of tables in Chinese; one that is the same in both languages is not in it.
var headsZH = map[string]string{
	"ACTION": "操作", "ACTIONS": "动作", "ACTIVE": "活动", "ACTOR": "操作者", "ADDRESS": "地址",
	"AGE": "存在时间", "ANNOTATIONS": "注解",
	"ARCHITECTURES": "架构", "AT": "时间", "BEGAN": "开始时间", "CARRIER": "传输方式", "CLASS": "存储类", "CLOCK AHEAD": "时钟超前",
	"CLUSTER":  "集群",
	"CLUSTERS": "集群数", "CONNECTED": "已连接", "CONNECTIONS": "连接数", "CREATED": "创建时间", "CREATED BY": "创建者",
	"CREATOR": "创建者", "CURRENT": "当前", "CUSTOMER": "客户", "DEFAULT": "默认", "DELETED": "删除时间",
	"DELETED BY": "删除者", "DESCRIPTION": "描述", "DISABLED": "已停用", "DISPLAY NAME": "显示名", "DROPPED": "丢弃",
	"ENABLED": "启用", "ENDED": "结束时间", "ENDS": "到期时间", "ERROR": "错误", "EXPIRES": "过期时间", "FORMAT": "格式",
	"FOUND": "实际值", "FROM": "从", "GOOD": "有效", "GRANTS": "授权", "HOST": "主机", "IMAGE": "镜像", "ISSUER": "颁发者",
	"KEY": "键", "KIND": "类型", "LARGEST CLUSTER": "最大集群", "LAST SEEN": "最近在线", "LAST USED": "最近使用",
	"LIMIT": "上限", "MEANING": "含义", "MEMORY": "内存", "MESSAGE": "消息", "MODE": "模式", "NAME": "名称",
	"NAMES": "域名", "NODE": "节点", "NODES": "节点", "NOT PUT BACK": "不能还原", "NOT TAKEN OVER": "不能接管", "NOTE": "备注",
	"OF": "对象", "OPERATION": "操作", "OUTCOME": "结果", "PASSWORD SET": "已设密码", "PATH": "路径", "PHASE": "阶段",
	"PROJECT": "项目", "REACH": "范围", "REACHABLE": "可访问", "READY": "就绪", "REASON": "原因", "RECEIVED": "接收",
	"RECORDED ON": "记录于", "REFERENCE": "地址", "REMOTE": "来源地址", "RESTARTS": "重启次数", "REVOKED": "吊销时间",
	"RIGHT": "权限", "ROLE": "角色", "ROLES": "角色", "RUNNING": "运行中", "SCOPE": "范围", "SENT": "发送", "SEQ": "序号",
	"SELF": "当前应答", "SERVER": "服务器", "SESSIONS": "会话数", "SETTINGS": "配置", "SHARDS": "分片数",
	"SINCE": "持续时间", "SIZE": "规格", "SOURCE": "来源",
	"STARTED": "启动时间", "STATE": "状态", "STATUS": "状态",
	"STEPS": "步骤", "STORAGE": "存储", "SUBSCRIPTIONS": "订阅数", "TAKE OVER": "可接管",
	"TARGET": "目标", "TO": "到", "TOPICS": "主题", "TYPE": "类型", "UNHEARD": "无法连接的原因",
	"UNTIL": "截止时间", "UNVERIFIED": "未验证", "USER": "用户",
	"USES": "使用次数", "VERSION": "版本", "VOLUMES": "存储卷", "WANTED": "期望值", "WHY": "原因", "WHY NOT": "不能的原因",
	"connections": "连接数", "dropped/s": "丢弃/秒", "received/s": "接收/秒", "retained": "保留消息", "sent/s": "发送/秒",
	"sessions": "会话数", "subscriptions": "订阅数", "topics": "主题数", "why no rates": "没有速率的原因",
}

// sameHeads are those that both languages have.
var sameHeads = []string{"CPU", "ID", "POD", "SHA256", "SQL"}

// head is what a person calls a column.
func (a *app) head(c column) string {
	if name := headsZH[c.head]; name != "" && a.flags.lang == chinese {
		return name
	}
	return c.head
}

// The questions that are answered with y or n, and what is asked for a value.
const (
	askGoOn         = "Go on?"
	askDelete       = "Delete %s %s?"
	askRemoveAgent  = "Remove agent %s of %s?"
	askRevoke       = "Revoke registration %s of %s?"
	askDeleteData   = "Delete cluster %s (%s) with its data?"
	askAccept       = "Let target %s be the Kubernetes %s from now on?"
	askUser         = "User"
	askPassword     = "Password"
	askToken        = "Token"
	askNewPassword  = "New password"
	askPasswordOnce = "New password again"
)

var questionsZH = map[string]string{
	askGoOn: "继续？", askDelete: "删除 %s %s？", askRemoveAgent: "移除 Agent %s（集群 %s）？",
	askRevoke: "吊销注册令牌 %s（集群 %s）？", askDeleteData: "删除集群 %s（%s）及其数据？",
	askAccept: "从现在起，目标 %s 就是 Kubernetes %s？", askUser: "用户名", askPassword: "密码", askToken: "令牌",
	askNewPassword: "新密码", askPasswordOnce: "再次输入新密码",
}

// inLanguage returns a question in the person's language.
func (a *app) inLanguage(question string) string {
	if text := questionsZH[question]; text != "" && a.flags.lang == chinese {
		return text
	}
	return question
}

// ask asks one of the questions above about things, and returns an error unless the answer is yes.
func (a *app) ask(ctx context.Context, question string, about ...any) error {
	return a.confirm(ctx, fmt.Sprintf(a.inLanguage(question), about...))
}
