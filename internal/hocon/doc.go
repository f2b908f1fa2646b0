// Package hocon reads and writes settings in the language of EMQX 5, as far as EMQX prints it. It is pure.
package hocon
