/** What the page says, in its three languages. A text may hold {names}. */

const TEXTS = {
  en: {
    title: "Phone",
    page_language: "Language of this page",
    place_a_call: "Place a call",
    flow: "Flow",
    language: "Language of the call",
    values: "What the flow is given",
    optional: "optional",
    yes: "Yes",
    no: "No",
    one_a_line: "one a line",
    call: "Call",
    hang_up: "Hang up",
    mute: "Mute",
    play: "Play",
    blocked: "The browser waits for a click before it plays sound.",
    keypad: "Keypad",
    key: "Key {key}",
    you: "You",
    server: "Server",
    said: "What is said",
    not_understood: "not understood",
    interrupted: "interrupted",
    result: "Result",
    no_result: "The flow gave no result.",
    nothing: "none",
    again: "Call again",
    last_answer: "The last answer",
    in_ms: "{ms} ms",
    no_reply: "no reply",
    minutes: "{n} min",
    step: "step {step}",
    intro_title: "Talk to a flow as a caller does",
    intro_1: "Pick a flow, and press Call. The browser asks for your microphone.",
    intro_2: "Speak, or press keys, here or on your keyboard. You may interrupt.",
    intro_3: "What both sides say stands here as it is said, and how fast each answer came.",
    line: "{codec}, {rtt} ms there and back, {lost} % lost",
    closed: "The phone is closed here",
    no_flows: "This server has no flow that can be called from here.",
    state_connecting: "Connecting",
    state_ringing: "Ringing",
    state_talking: "In call",
    state_reconnecting: "Reconnecting",
    state_ended: "Call ended",
    cause_normal: "The flow came to its end",
    cause_hangup: "You hung up",
    cause_lost: "The connection was lost",
    cause_gone: "The server had ended the call",
    cause_limit: "The call was as long as it may be",
    cause_media_timeout: "The server heard nothing from here",
    cause_failed: "The call failed",
    queued: "Waiting for a colleague, place {place}",
    connected: "Connected to a colleague",
    changed_language: "Goes on in {language}",
    stage_key: "Key",
    stage_speech_end: "End of speech",
    stage_pause: "Pause noticed",
    stage_endpoint: "Turn is over",
    stage_final: "Words recognised",
    stage_intent: "Flow decided",
    stage_first_token: "Model's first word",
    stage_first_sentence: "Reply in words",
    stage_first_audio: "Voice",
    stage_first_packet: "On the line",
    error_insecure: "Browsers give the microphone to secure pages alone. Open this page by https, or on the server itself as http://localhost.",
    error_unsupported: "This browser cannot make calls: it has no WebRTC.",
    error_permission: "The microphone may not be used. Allow it for this page in the browser, then call again.",
    "error_no-microphone": "There is no microphone. Plug one in, then call again.",
    "error_microphone-busy": "The microphone cannot be opened: another program may have it.",
    error_unreachable: "The server cannot be reached.",
    error_timeout: "The server did not answer in time.",
    error_busy: "All lines are busy. Try again in {s} seconds.",
    "error_too-many": "Too many calls from here in a short time. Try again in {s} seconds.",
    "error_no-media": "The audio finds no way to the server: a firewall may stand between.",
    error_elsewhere: "Another window of this browser has the call.",
    error_gone: "The call is over: it could not be taken up again in time.",
    error_invalid: "The server cannot use some of the values.",
  },
  hi: {
    title: "फ़ोन",
    page_language: "इस पृष्ठ की भाषा",
    place_a_call: "कॉल करें",
    flow: "फ़्लो",
    language: "कॉल की भाषा",
    values: "फ़्लो को दी जाने वाली जानकारी",
    optional: "वैकल्पिक",
    yes: "हाँ",
    no: "नहीं",
    one_a_line: "हर पंक्ति में एक",
    call: "कॉल करें",
    hang_up: "कॉल काटें",
    mute: "म्यूट",
    play: "सुनें",
    blocked: "ब्राउज़र आवाज़ चलाने से पहले एक क्लिक चाहता है।",
    keypad: "कीपैड",
    key: "बटन {key}",
    you: "आप",
    server: "सर्वर",
    said: "बातचीत",
    not_understood: "समझ नहीं आया",
    interrupted: "बीच में रोका गया",
    result: "परिणाम",
    no_result: "फ़्लो ने कोई परिणाम नहीं दिया।",
    nothing: "कुछ नहीं",
    again: "फिर से कॉल करें",
    last_answer: "पिछला जवाब",
    in_ms: "{ms} मि.से.",
    no_reply: "कोई जवाब नहीं",
    minutes: "{n} मिनट",
    step: "चरण {step}",
    intro_title: "फ़्लो से वैसे ही बात करें जैसे कॉल करने वाला करता है",
    intro_1: "फ़्लो चुनें और कॉल दबाएँ। ब्राउज़र माइक्रोफ़ोन की अनुमति माँगेगा।",
    intro_2: "बोलें, या यहाँ या अपने कीबोर्ड पर बटन दबाएँ। बीच में भी बोल सकते हैं।",
    intro_3: "दोनों ओर की बातें यहाँ उसी समय दिखती हैं, और हर जवाब कितनी जल्दी आया, यह भी।",
    line: "{codec}, आने-जाने में {rtt} मि.से., {lost} % खोए",
    closed: "यहाँ फ़ोन बंद है",
    no_flows: "इस सर्वर पर ऐसा कोई फ़्लो नहीं है जिसे यहाँ से कॉल किया जा सके।",
    state_connecting: "जुड़ रहा है",
    state_ringing: "घंटी बज रही है",
    state_talking: "कॉल चालू है",
    state_reconnecting: "फिर से जुड़ रहा है",
    state_ended: "कॉल समाप्त",
    cause_normal: "फ़्लो पूरा हुआ",
    cause_hangup: "आपने कॉल काटी",
    cause_lost: "कनेक्शन टूट गया",
    cause_gone: "सर्वर कॉल समाप्त कर चुका था",
    cause_limit: "कॉल की अधिकतम अवधि पूरी हुई",
    cause_media_timeout: "सर्वर को यहाँ से कुछ सुनाई नहीं दिया",
    cause_failed: "कॉल विफल रही",
    queued: "साथी की प्रतीक्षा, क्रमांक {place}",
    connected: "साथी से जुड़ गए",
    changed_language: "अब {language} में",
    stage_key: "बटन",
    stage_speech_end: "बोलना समाप्त",
    stage_pause: "विराम पहचाना",
    stage_endpoint: "बारी समाप्त",
    stage_final: "शब्द पहचाने",
    stage_intent: "फ़्लो का निर्णय",
    stage_first_token: "मॉडल का पहला शब्द",
    stage_first_sentence: "जवाब के शब्द",
    stage_first_audio: "आवाज़",
    stage_first_packet: "लाइन पर",
    error_insecure: "ब्राउज़र माइक्रोफ़ोन केवल सुरक्षित पृष्ठों को देते हैं। यह पृष्ठ https से खोलें, या सर्वर पर ही http://localhost से।",
    error_unsupported: "इस ब्राउज़र से कॉल नहीं हो सकती: इसमें WebRTC नहीं है।",
    error_permission: "माइक्रोफ़ोन की अनुमति नहीं है। ब्राउज़र में इस पृष्ठ को अनुमति दें, फिर कॉल करें।",
    "error_no-microphone": "कोई माइक्रोफ़ोन नहीं है। लगाएँ, फिर कॉल करें।",
    "error_microphone-busy": "माइक्रोफ़ोन नहीं खुल सका: शायद कोई और प्रोग्राम उसे इस्तेमाल कर रहा है।",
    error_unreachable: "सर्वर तक पहुँचा नहीं जा सका।",
    error_timeout: "सर्वर ने समय पर जवाब नहीं दिया।",
    error_busy: "सभी लाइनें व्यस्त हैं। {s} सेकंड बाद फिर प्रयास करें।",
    "error_too-many": "यहाँ से थोड़े समय में बहुत कॉल हुईं। {s} सेकंड बाद फिर प्रयास करें।",
    "error_no-media": "आवाज़ सर्वर तक नहीं पहुँच पा रही: शायद बीच में फ़ायरवॉल है।",
    error_elsewhere: "यह कॉल इस ब्राउज़र की दूसरी विंडो में है।",
    error_gone: "कॉल समाप्त हो चुकी है: समय पर दोबारा नहीं जुड़ सकी।",
    error_invalid: "सर्वर कुछ जानकारी का उपयोग नहीं कर सकता।",
  },
  mr: {
    title: "फोन",
    page_language: "या पानाची भाषा",
    place_a_call: "कॉल करा",
    flow: "फ्लो",
    language: "कॉलची भाषा",
    values: "फ्लोला दिली जाणारी माहिती",
    optional: "ऐच्छिक",
    yes: "हो",
    no: "नाही",
    one_a_line: "प्रत्येक ओळीत एक",
    call: "कॉल करा",
    hang_up: "कॉल बंद करा",
    mute: "म्यूट",
    play: "ऐका",
    blocked: "आवाज सुरू करण्यापूर्वी ब्राउझरला एक क्लिक हवा आहे.",
    keypad: "कीपॅड",
    key: "बटण {key}",
    you: "तुम्ही",
    server: "सर्व्हर",
    said: "संभाषण",
    not_understood: "समजले नाही",
    interrupted: "मध्येच थांबवले",
    result: "निकाल",
    no_result: "फ्लोने कोणताही निकाल दिला नाही.",
    nothing: "काही नाही",
    again: "पुन्हा कॉल करा",
    last_answer: "मागील उत्तर",
    in_ms: "{ms} मि.से.",
    no_reply: "उत्तर नाही",
    minutes: "{n} मिनिटे",
    step: "पायरी {step}",
    intro_title: "कॉल करणाऱ्याप्रमाणे फ्लोशी बोला",
    intro_1: "फ्लो निवडा आणि कॉल दाबा. ब्राउझर मायक्रोफोनची परवानगी मागेल.",
    intro_2: "बोला, किंवा इथे अथवा कीबोर्डवर बटणे दाबा. मध्येच बोलू शकता.",
    intro_3: "दोन्ही बाजूंचे बोलणे इथे लगेच दिसते, आणि प्रत्येक उत्तर किती लवकर आले तेही.",
    line: "{codec}, ये-जा {rtt} मि.से., {lost} % हरवले",
    closed: "इथे फोन बंद आहे",
    no_flows: "इथून कॉल करता येईल असा एकही फ्लो या सर्व्हरवर नाही.",
    state_connecting: "जोडत आहे",
    state_ringing: "घंटी वाजत आहे",
    state_talking: "कॉल सुरू आहे",
    state_reconnecting: "पुन्हा जोडत आहे",
    state_ended: "कॉल संपला",
    cause_normal: "फ्लो पूर्ण झाला",
    cause_hangup: "तुम्ही कॉल बंद केला",
    cause_lost: "संपर्क तुटला",
    cause_gone: "सर्व्हरने कॉल संपवला होता",
    cause_limit: "कॉलची कमाल वेळ संपली",
    cause_media_timeout: "सर्व्हरला इथून काही ऐकू आले नाही",
    cause_failed: "कॉल अयशस्वी झाला",
    queued: "सहकाऱ्याची प्रतीक्षा, क्रमांक {place}",
    connected: "सहकाऱ्याशी जोडले",
    changed_language: "पुढे {language} मध्ये",
    stage_key: "बटण",
    stage_speech_end: "बोलणे संपले",
    stage_pause: "विराम ओळखला",
    stage_endpoint: "पाळी संपली",
    stage_final: "शब्द ओळखले",
    stage_intent: "फ्लोचा निर्णय",
    stage_first_token: "मॉडेलचा पहिला शब्द",
    stage_first_sentence: "उत्तराचे शब्द",
    stage_first_audio: "आवाज",
    stage_first_packet: "लाइनवर",
    error_insecure: "ब्राउझर फक्त सुरक्षित पानांना मायक्रोफोन देतात. हे पान https ने उघडा, किंवा सर्व्हरवरच http://localhost ने.",
    error_unsupported: "या ब्राउझरमधून कॉल करता येत नाही: त्यात WebRTC नाही.",
    error_permission: "मायक्रोफोनची परवानगी नाही. ब्राउझरमध्ये या पानाला परवानगी द्या, मग कॉल करा.",
    "error_no-microphone": "मायक्रोफोन नाही. जोडा, मग कॉल करा.",
    "error_microphone-busy": "मायक्रोफोन उघडता आला नाही: कदाचित दुसरा प्रोग्राम तो वापरत आहे.",
    error_unreachable: "सर्व्हरशी संपर्क होऊ शकला नाही.",
    error_timeout: "सर्व्हरने वेळेत उत्तर दिले नाही.",
    error_busy: "सर्व लाइन व्यस्त आहेत. {s} सेकंदांनी पुन्हा प्रयत्न करा.",
    "error_too-many": "इथून थोड्या वेळात खूप कॉल झाले. {s} सेकंदांनी पुन्हा प्रयत्न करा.",
    "error_no-media": "आवाज सर्व्हरपर्यंत पोहोचत नाही: मध्ये फायरवॉल असू शकते.",
    error_elsewhere: "हा कॉल या ब्राउझरच्या दुसऱ्या विंडोमध्ये आहे.",
    error_gone: "कॉल संपला आहे: वेळेत पुन्हा जोडता आला नाही.",
    error_invalid: "सर्व्हर काही माहिती वापरू शकत नाही.",
  },
};

const KEPT = "ivr-page-language";
let tongue = "en";

/** @param {string} name @param {Object<string, unknown>} [values] @returns {string} empty for a name that is not known */
export function t(name, values = {}) {
  const text = TEXTS[tongue][name] ?? TEXTS.en[name] ?? "";
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

/** The language of the page. */
export function language() {
  return tongue;
}

/** The one that was chosen before, or the first that the browser asks for. */
export function firstLanguage() {
  const wanted = [read(), ...(navigator.languages ?? [])].map((tag) => String(tag).slice(0, 2));
  return wanted.find((tag) => tag in TEXTS) ?? "en";
}

/** Puts the page into a language, and keeps it. */
export function speak(wanted) {
  tongue = wanted in TEXTS ? wanted : "en";
  document.documentElement.lang = tongue;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  try {
    localStorage.setItem(KEPT, tongue);
  } catch {
    // not kept, then
  }
}

/** The name of a language, in itself: "हिन्दी". */
export function nameOf(tag) {
  try {
    return new Intl.DisplayNames([tag], {type: "language"}).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** "vendor-order" as people write: "Vendor order". */
export function inWords(name) {
  const words = name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function read() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
