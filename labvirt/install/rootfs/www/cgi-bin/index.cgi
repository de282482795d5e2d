#!/bin/sh
# The front page, made anew for each request.
read -r count </run/counter
read -r up _ </proc/uptime
read -r boot </run/bootid
read -r free _ <<EOF
$(sed -n 's/^MemAvailable: *//p' /proc/meminfo)
EOF
cat <<EOF
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en"><head><title>$(hostname)</title></head><body>
<h1>$(hostname)</h1>
<p>A labvirt tiny guest.</p>
<table>
<tr><th>Host name</th><td>$(hostname)</td></tr>
<tr><th>Up</th><td>$up s</td></tr>
<tr><th>Counter</th><td>$count</td></tr>
<tr><th>Boot</th><td>$boot</td></tr>
<tr><th>Kernel</th><td>$(uname -r)</td></tr>
<tr><th>Memory available</th><td>$free KiB</td></tr>
</table>
<p>As plain values: <a href="/hostname">hostname</a>, <a href="/uptime">uptime</a>,
<a href="/counter">counter</a>, <a href="/bootid">bootid</a>.</p>
</body></html>
EOF
