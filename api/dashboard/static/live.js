// The page's stream of events. A hidden tab has none: it closes, and opens when somebody looks again.
(function () {
  "use strict";

  class LiveSource {
    constructor(url) {
      this.url = url;
      this.readyState = EventSource.CONNECTING;
      this.listeners = [];
      this.source = null;
      this.follow = () => (document.hidden ? this.rest() : this.open());
      document.addEventListener("visibilitychange", this.follow);
      if (!document.hidden) this.open();
    }

    open() {
      if (this.source) return;
      const source = (this.source = new EventSource(this.url));
      for (const [name, listener] of this.listeners) source.addEventListener(name, listener);
      source.onopen = (event) => {
        this.readyState = EventSource.OPEN;
        show(true);
        if (this.onopen) this.onopen(event);
      };
      source.onerror = (event) => {
        this.readyState = source.readyState;
        show(false);
        if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
        this.close();
        if (this.onerror) this.onerror(event); // htmx tries again, with another source
      };
    }

    rest() {
      if (this.source) this.source.close();
      this.source = null;
      show(false);
    }

    addEventListener(name, listener) {
      this.listeners.push([name, listener]);
      if (this.source) this.source.addEventListener(name, listener);
    }

    removeEventListener(name, listener) {
      this.listeners = this.listeners.filter(([n, l]) => n !== name || l !== listener);
      if (this.source) this.source.removeEventListener(name, listener);
    }

    close() {
      document.removeEventListener("visibilitychange", this.follow);
      this.rest();
      this.readyState = EventSource.CLOSED;
    }
  }

  function show(isLive) {
    const sign = document.querySelector(".live");
    if (!sign) return;
    sign.dataset.live = isLive ? "on" : "off";
    const word = sign.querySelector(".live-word");
    word.textContent = isLive ? word.dataset.on : word.dataset.off;
  }

  htmx.createEventSource = (url) => new LiveSource(url);
})();
