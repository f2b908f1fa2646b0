package main

import (
	_ "time/tzdata" // schedules of clusters name zones, and a host without files has none
)
