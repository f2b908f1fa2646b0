//go:build !unix

package agentproto

const noLinks = 0
