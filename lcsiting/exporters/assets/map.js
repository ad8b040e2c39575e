// Layers of the map. Texts only ever reach the page through textContent, so names cannot become markup.
var lcsiting = (function () {
  "use strict";

  function element(tag, text, className) {
    var node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = String(text);
    if (className) node.className = className;
    return node;
  }

  function table(rows, caption) {
    var node = element("table");
    if (caption) node.appendChild(caption);
    rows.forEach(function (row) {
      if (row[1] === null || row[1] === undefined || row[1] === "") return;
      var line = node.insertRow();
      line.appendChild(element("th", row[0]));
      line.appendChild(element("td", row[1]));
    });
    return node;
  }

  // Polygons and lines; every feature names its style (k) and, if it has one, its tooltip (t).
  function shapes(data, styles, pane, interactive) {
    return L.geoJSON(data, {
      pane: pane,
      interactive: interactive,
      style: function (feature) { return styles[feature.properties.k]; },
      onEachFeature: function (feature, layer) {
        if (interactive && feature.properties.t) {
          layer.bindTooltip(function () { return element("span", feature.properties.t); }, { sticky: true });
        }
      }
    });
  }

  function labels(rows, className) {
    return L.layerGroup(rows.map(function (row) {
      var icon = L.divIcon({ className: "lc-label " + className, html: element("span", row[2]) });
      return L.marker([row[1], row[0]], { icon: icon, interactive: false, keyboard: false, zIndexOffset: 5000 });
    }));
  }

  function protectedStations(rows, color) {
    return L.layerGroup(rows.map(function (row) {
      var svg = '<svg viewBox="0 0 16 16" width="14" height="14"><path d="M8 1 L15 14 L1 14 Z" fill="' + color +
        '" stroke="#fff" stroke-width="1.4"/></svg>';
      var icon = L.divIcon({ className: "lc-es", html: svg });
      var marker = L.marker([row[1], row[0]], { icon: icon, keyboard: false });
      marker.bindTooltip(function () { return element("span", row[2][0][1]); });
      marker.bindPopup(function () {
        var box = element("div", null, "lc-pop");
        box.appendChild(element("h2", row[2][0][1]));
        box.appendChild(table(row[2].slice(1)));
        return box;
      }, POPUP);
      return marker;
    }));
  }

  // D.places: [lon, lat, name, place id, county, host kind, owner, height, stations]
  // station: [class, id tail, rank, network, band, year, tier, people, km2, action, coordination, reasons]
  function stationId(place, station) {
    return station[1].charAt(0) === "=" ? station[1].slice(1) : place[3] + station[1];
  }

  function placePopup(D, place) {
    var W = D.words, T = D.text, box = element("div", null, "lc-pop");
    box.appendChild(element("h2", place[2] || place[3]));
    var sub = [place[3], W[place[4]], W[place[5]], W[place[6]]].filter(Boolean);
    box.appendChild(element("p", sub.join(" · ") + (place[7] ? " · " + T.height + " " + place[7] + " m" : ""), "lc-sub"));
    place[8].forEach(function (s) {
      var caption = element("caption");
      var dot = element("span", null, "lc-sw lc-dot");
      dot.style.background = D.classes[s[0]].fillColor;
      caption.appendChild(dot);
      caption.appendChild(document.createTextNode(W[s[3]] + " " + W[s[4]] + " · " + D.classes[s[0]].label));
      var gain = s[7] === null ? null : s[7].toLocaleString() + " " + T.people + " / " + s[8] + " km²";
      box.appendChild(table([
        [T.rank, s[2] > 0 ? s[2] : null], [T.id, stationId(place, s)], [T.year, s[5] || null], [T.tier, W[s[6]]],
        [T.gain, s[2] > 0 ? gain : null], [T.action, W[s[9]]], [T.coordination, W[s[10]]], [T.reasons, W[s[11]]]
      ], caption));
    });
    return box;
  }

  // Keeps an opened popup clear of the title (left) and the legend (right).
  var POPUP = { maxWidth: 360, minWidth: 260, autoPanPaddingTopLeft: [12, 140], autoPanPaddingBottomRight: [290, 30] };

  function radiusAt(zoom) {
    return zoom < 10 ? 1.7 : zoom < 11 ? 2.4 : zoom < 12.5 ? 3.4 : zoom < 14 ? 5 : 6.5;
  }

  function places(D, index, map) {
    var style = D.classes[index], group = L.featureGroup();
    D.places.forEach(function (place) {
      if (!place[8].some(function (s) { return s[0] === index; })) return;
      var marker = L.circleMarker([place[1], place[0]], {
        radius: radiusAt(map.getZoom()) + style.extra, color: style.color, weight: 0.8,
        fillColor: style.fillColor, fillOpacity: style.fillOpacity
      });
      marker.place = place;
      group.addLayer(marker);
    });
    group.bindTooltip(function (marker) {
      var ranks = marker.place[8].map(function (s) { return s[2]; }).filter(function (r) { return r > 0; });
      var tail = ranks.length ? D.text.rank + " " + Math.min.apply(null, ranks) : D.classes[index].label;
      return element("span", (marker.place[2] || marker.place[3]) + " · " + tail);
    });
    group.bindPopup(function (marker) { return placePopup(D, marker.place); }, POPUP);
    map.on("zoomend", function () {
      var radius = radiusAt(map.getZoom()) + style.extra;
      group.eachLayer(function (marker) { marker.setRadius(radius); });
    });
    return group;
  }

  // The layer control is the legend: headings above the first layer of each group.
  function headings(control, heads) {
    var update = control._update;
    control._update = function () {
      update.call(this);
      var rows = this._overlaysList.querySelectorAll("label");
      heads.forEach(function (head) {
        if (rows[head[0]]) rows[head[0]].parentNode.insertBefore(element("div", head[1], "lc-head"), rows[head[0]]);
      });
      return this;
    };
    control._update();
  }

  function far(map) {
    function toggle() { map.getContainer().classList.toggle("lc-far", map.getZoom() < 11.5); }
    map.on("zoomend", toggle);
    toggle();
  }

  function search(D, map, input, list) {
    input.addEventListener("input", function () {
      var wanted = input.value.trim().toLowerCase();
      list.textContent = "";
      if (!wanted) return;
      D.places.filter(function (p) {
        return (p[2] + " " + p[3]).toLowerCase().indexOf(wanted) >= 0;
      }).slice(0, 30).forEach(function (p) {
        var item = element("li", (p[2] || p[3]) + " (" + p[3] + ")");
        item.addEventListener("click", function () {
          map.setView([p[1], p[0]], Math.max(map.getZoom(), 15));
          L.popup(POPUP).setLatLng([p[1], p[0]]).setContent(placePopup(D, p)).openOn(map);
        });
        list.appendChild(item);
      });
    });
    L.DomEvent.disableClickPropagation(input.parentNode.parentNode);
    L.DomEvent.disableScrollPropagation(input.parentNode.parentNode);
  }

  return { shapes: shapes, labels: labels, protectedStations: protectedStations, places: places,
    headings: headings, far: far, search: search, placePopup: placePopup };
})();
