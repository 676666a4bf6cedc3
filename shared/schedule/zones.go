package schedule

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"ace/shared/api"
)

// zoneNames has the names of all time zones, one in each line. nearestZone suggests a
// name from this list. The package time has no such list.
//
//go:embed zones.txt
var zoneNames string

// loadZone returns the time zone with an IANA name. If there is no such time zone, the
// error suggests a similar name if one exists.
func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, fmt.Errorf("the time zone is missing after CRON_TZ=")
	}
	if name != "Local" { // the package time would accept Local as the time zone of the host
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	if near := nearestZone(name); near != "" {
		return nil, fmt.Errorf("there is no time zone %.60q (did you mean %s?)", name, near)
	}
	return nil, fmt.Errorf("there is no time zone %.60q; the names are those of the IANA database, such as Europe/Berlin", name)
}

// nearestZone returns the time zone whose name, or the city in it, is most similar to
// name. It returns "" if there is none.
func nearestZone(name string) string {
	wanted := strings.ReplaceAll(strings.ToLower(name), " ", "_")
	named := map[string]string{}
	var names, cities []string
	for _, zone := range strings.Fields(zoneNames) {
		lower := strings.ToLower(zone)
		city := lower[strings.LastIndex(lower, "/")+1:]
		if wanted == lower || wanted == city && strings.Contains(zone, "/") {
			return zone
		}
		names, cities = append(names, lower), append(cities, city)
		named[lower], named[city] = zone, zone
	}

	if near := api.Nearest(wanted, names); near != "" {
		return named[near]
	}
	return named[api.Nearest(wanted, cities)]
}
