// Package report looks at the EMQX beside an agent and tells what it saw as reports
// of agentproto. It asks by the adapters that the server uses for its own clusters,
// so that both say the same of the same broker.
//
// A [Reporter] asks for one report at a time. Whatever the broker does, a report is
// made within seconds: what is missing from it is among its errors, with a code for
// programs and a sentence for people.
package report
