// Package mqttprobe asks a listener for one MQTT answer.
package mqttprobe
