// Package brokers asks the brokers of hosted clusters who their members are, what settings
// they have and whether MQTT is served, and tells them what a change needs: to move clients
// away from a node, to take them again, and to forget a member.
package brokers
