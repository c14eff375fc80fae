package applink

// Sources are the rules' sources, by name.
func Sources() map[string]string {
	all := make(map[string]string)
	for _, r := range rules() {
		all[r.name] = r.source
	}
	return all
}
