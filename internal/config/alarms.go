package config

import "github.com/lanyardhq/lanyard/internal/source"

// alarms reads where alarms are told of beside the logs. Such an address often holds a token, so a file names it.
func (p *parser) alarms(m source.Mapping) {
	e, ok := m.Find("alarms")
	if !ok {
		return
	}
	if m, ok := e.Value.Mapping(); ok {
		m.Keys([]string{"url_file"}, map[string]string{"url": inPlace + "url_file"})
		p.config.AlarmFile, _ = p.needPath(m, "url_file")
	}
}
