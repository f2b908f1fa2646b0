// Package brokers says to the brokers of hosted clusters what a change needs while the
// Manager works on them: who are your members, move your clients away, forget a node.
package brokers
