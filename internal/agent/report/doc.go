// Package report observes the EMQX node beside an agent and makes reports of
// agentproto. It uses the adapters that the server uses for hosted clusters, so that
// both report the same about the same broker.
//
// A [Reporter] makes one report at a time, within seconds, whatever the broker does.
// Values that could not be read are listed in the report's errors, with a code for
// programs and a sentence for people.
package report
